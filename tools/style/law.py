# SPDX-License-Identifier: Apache-2.0
"""Who may know whom (ARCHITECTURE.md, "Rooms and the include law"), and what keeps a pure room pure."""
from typing import Iterator

from style.source import Finding, Source, Tree

# Left may include right; rooms of one column are equals and do not know each other.
COLUMNS = (
    ('main',),
    ('console',),
    ('control',),
    ('serve', 'collect'),
    ('deliver',),
    ('pop3', 'imap', 'smtp', 'sasl', 'net', 'store', 'config'),
    ('wire',),
    ('base',),
)
# But of those equals these may include sasl.
EQUALS = {('pop3', 'sasl'), ('imap', 'sasl'), ('smtp', 'sasl')}

RANK = {room: i for i, column in enumerate(COLUMNS) for room in column}

PURE = ('wire', 'sasl', 'pop3', 'imap', 'smtp')
MAY_ALLOCATE = ('sasl',)    # GNU SASL does
IMPURE_HEADERS = frozenset('''
    sys/socket.h sys/un.h netinet/in.h netinet/tcp.h arpa/inet.h netdb.h poll.h sys/poll.h sys/select.h sys/epoll.h
    sys/eventfd.h time.h sys/time.h sys/timerfd.h pthread.h threads.h semaphore.h sched.h signal.h unistd.h fcntl.h
    sys/stat.h sys/mman.h sys/uio.h sys/file.h uv.h ares.h openssl/ssl.h openssl/bio.h
    base/clock.h base/log.h'''.split())
ALLOCATING_HEADERS = frozenset({'base/arena.h'})
ALLOCATORS = frozenset({'malloc', 'calloc', 'realloc', 'reallocarray', 'free', 'strdup', 'strndup', 'asprintf',
                        'vasprintf', 'aligned_alloc', 'buf_start'})


def include_law(tree: Tree) -> Iterator[Finding]:
    for source in tree.c('src/'):
        if source.room not in RANK:
            yield Finding(source.path, 1, f'{source.room or "no room"} is not a room of ARCHITECTURE.md')
            continue
        for line, ours, name in source.includes:
            what = include_fault(tree, source, name) if ours else ''
            if what:
                yield Finding(source.path, line, what)


def include_fault(tree: Tree, source: Source, name: str) -> str:
    if not name.endswith('.h'):
        return f'includes "{name}": only headers are included'
    if not tree.get('src/' + name):
        return f'includes "{name}": no such file below src/ (name it "room/file.h")'
    other = name.split('/')[0]
    if other == source.room or (source.room, other) in EQUALS or RANK[source.room] < RANK[other]:
        return ''
    return f'{source.room} may not include {other} ("{name}")'


def purity(tree: Tree) -> Iterator[Finding]:
    for source in tree.c('src/'):
        if source.room not in PURE or source.is_test:
            continue
        allocates = source.room in MAY_ALLOCATE
        for line, _, name in source.includes:
            if name in IMPURE_HEADERS:
                yield Finding(source.path, line, f'the pure room {source.room} includes {name}: no I/O, clock or threads here')
            elif name in ALLOCATING_HEADERS and not allocates:
                yield Finding(source.path, line, f'the pure room {source.room} includes {name}: the caller lends memory')
        for line, name in source.calls(ALLOCATORS):
            if not allocates:
                yield Finding(source.path, line, f'the pure room {source.room} calls {name}: the caller lends memory')


RULES = (include_law, purity)
