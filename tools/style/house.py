# SPDX-License-Identifier: Apache-2.0
"""What the tree as a whole must keep: a test beside each file, no dead files, documents that tell the truth."""
import posixpath
import re
from typing import Iterator

from style.source import Finding, Tree

# src files without an x_test.c beside them, each with the reason.  src/main/ is tested end to end (test/e2e).
VISIT = 'a part of a visit, which visit_test.c drives whole against a maildrop with faults'
EXEMPT = {
    'src/collect/answers.c': VISIT,
    'src/collect/ask.c': VISIT,
    'src/collect/ask_pop3.c': VISIT,
    'src/collect/collector.c': VISIT,
    'src/collect/ask_imap.c': VISIT,
    'src/collect/copies.c': VISIT,
    'src/collect/dispose_imap.c': VISIT,
    'src/collect/folders.c': VISIT,
    'src/collect/gmail.c': VISIT,
    'src/collect/list_imap.c': VISIT,
    'src/collect/listed.c': VISIT,
    'src/collect/talk_imap.c': VISIT,
    'src/collect/untold.c': VISIT,
    'src/collect/delivery.c': VISIT,
    'src/serve/login_who.c': 'login_named_test.c and login_token_test.c tell who is meant',
    'src/serve/serve_list.c': 'serve_test.c lists its sessions',
    'src/serve/submissions_held.c': 'submissions_test.c: held messages are tried again',
    'src/store/held_octets.c': 'held_test.c puts messages in and takes them out',
    'src/collect/identity.c': 'listing_test.c joins and compares through it',
    'src/collect/list_pop3.c': VISIT,
    'src/collect/listing_items.c': 'listing_test.c and list_imap.c use them all',
    'src/collect/password.c': 'test/e2e/test_collect.py: test_password_sources',
    'src/collect/probe.c': 'test/e2e/test_probe_tls.py: test_a_tls_server_on_a_clear_port',
    'src/collect/sasl_run.c': 'test/e2e/test_collect.py: test_login_mechanisms',
    'src/collect/selection.c': VISIT,
    'src/collect/sink_files.c': 'sink_folder_test.c and sink_test.c deliver, fail and recover through it',
    'src/collect/sink_maildir.c': VISIT,
    'src/collect/stranger.c': 'test/e2e/test_probe_tls.py: test_another_protocol',
    'src/collect/talk.c': VISIT,
    'src/collect/talk_pop3.c': VISIT,
    'src/collect/try_imap.c': 'test/e2e/test_probe.py: test_a_missing_mailbox',
    'src/collect/try_pop3.c': 'steps_test.c tells what it does',
    'src/config/draft_rules.c': 'draft_test.c, and the rows of every importer, go through them all',
    'src/config/import_bs2000_nodes.c': 'import_bs2000_test.c reads everything through it',
    'src/config/import_fetchmail_entry.c': 'import_fetchmail_test.c: what becomes of every word',
    'src/config/import_fetchmail_words.c': 'import_fetchmail_test.c reads everything through it',
    'src/config/import_getmail_to.c': 'import_getmail_test.c: every destination',
    'src/config/import_mbsync_channel.c': 'import_mbsync_test.c: every channel',
    'src/config/import_target.c': 'import_mpop_test.c and import_getmail_test.c: Maildirs and programs',
    'src/control/call.c': 'api_test.c, and the tests of all operations, use it',
}
HERE = 'tools/style/house.py'
FILES_ROW = re.compile(r'^\| `((?:src|test|tools)/[^`]+)` \| (.*?) \|$', re.M)
FILES_WORDS = 14
NAMED_FILE = re.compile(r'`((?:src|test|tools|docs)/[a-z0-9_./-]+)(?:: *([^`]*))?`')
MADE_NAME = re.compile(r"(?:'(\w*)' \+ )?\bname \+ '([\w.]*\.c)'")
LINK = re.compile(r'\]\((?!https?:|mailto:|#)([^)#\s]+)')


def missing_tests(tree: Tree) -> Iterator[Finding]:
    for source in tree.c('src/'):
        path = source.path
        if source.is_header or source.is_test or source.room == 'main':
            continue
        tested = tree.get(path[:-2] + '_test.c') is not None
        if not tested and path not in EXEMPT:
            yield Finding(path, 1, f'no {source.name[:-2]}_test.c beside it')
    if tree.get(HERE):      # the table speaks of this tree, not of a test's
        for path, reason in EXEMPT.items():
            if not tree.get(path) or tree.get(path[:-2] + '_test.c'):
                yield Finding(HERE, 1, f'EXEMPT names {path} ({reason}), which is gone or has its test')


def dead_files(tree: Tree) -> Iterator[Finding]:
    """A .c that no meson.build names; a header that nobody but its own .c and test includes."""
    users: dict[str, set[str]] = {}
    for source in tree.c():
        for _, _, name in source.includes:
            users.setdefault(posixpath.basename(name), set()).add(source.path)
    for source in tree.c():
        if source.is_header:
            stem = source.path[:-2]
            if not users.get(source.name, set()) - {stem + '.c', stem + '_test.c'}:
                yield Finding(source.path, 1, 'dead: nobody else includes this header')
        elif not named_by_meson(tree, source.path):
            yield Finding(source.path, 1, 'dead: no meson.build names this file')


def named_by_meson(tree: Tree, path: str) -> bool:
    """'x.c' in the meson.build of its folder or of one above; or 'x', where files are called name + '_test.c' or so."""
    folder, base = posixpath.split(path)
    while True:
        build = tree.get(posixpath.join(folder, 'meson.build'))
        if build:
            names = {path[len(folder):].lstrip('/'), base}
            for prefix, suffix in MADE_NAME.findall(build.text):
                if base.startswith(prefix) and base.endswith(suffix):
                    names.add(base[len(prefix):len(base) - len(suffix)])
            if any(f"'{n}'" in build.text for n in names):
                return True
        if not folder:
            return False
        folder = posixpath.dirname(folder)


def concepts(tree: Tree) -> dict[str, str]:
    """What the FILES table lists → one file of it.  x.h, x.c and x_test.c are one concept: `src/room/x`."""
    listed: dict[str, str] = {}
    for path, source in tree.files.items():
        if not path.startswith(('src/', 'test/', 'tools/')) or source.name in ('meson.build', '__init__.py'):
            continue
        key = re.sub(r'(_test)?\.[ch]$', '', path) if path.startswith('src/') else path
        listed.setdefault(key, path)
    return listed


def files_table(tree: Tree) -> Iterator[Finding]:
    page = tree.get('ARCHITECTURE.md')
    if not page:
        yield Finding('ARCHITECTURE.md', 1, 'missing')
        return
    rows = {m[1]: m for m in FILES_ROW.finditer(page.text)}
    listed = concepts(tree)
    for key, path in listed.items():
        if key not in rows:
            yield Finding(path, 1, f'no row `{key}` in the FILES table of ARCHITECTURE.md')
    for key, m in rows.items():
        line = page.line(m.start())
        if key not in listed:
            yield Finding(page.path, line, f'the FILES table lists {key}, which is not there')
        elif not 1 <= len(m[2].split()) <= FILES_WORDS:
            yield Finding(page.path, line, f'{key}: say it in ten words')


def complete_files_table(tree: Tree) -> str:
    """ARCHITECTURE.md with its table as it ought to be: rows there keep their words, new ones begin with the file's own."""
    page = tree.files['ARCHITECTURE.md'].text
    said = dict(FILES_ROW.findall(page))
    rows = ''
    for key, path in sorted(concepts(tree).items()):
        source = tree.get(key + '.h') or tree.files[path]
        rows += f'| `{key}` | {said.get(key) or first_sentence(source.text)} |\n'
    return re.sub(r'(?<=^\| file \| what \|\n\|---\|---\|\n)(\|.*\n)*', lambda m: rows, page, flags=re.M)


def first_sentence(text: str) -> str:
    """What a file says of itself before its first line of program; nothing when it is silent."""
    text = re.sub(r'#!.*|SPDX-License-Identifier: \S+', '', text)
    m = re.match(r'(?:\s|/\*|\*/|[*#]\s|[*#]$)*"""(.*?)"""', text, re.S | re.M) or re.match(r'((?:\s*(?:/\*.*?\*/|#(?!include|pragma).*))*)', text, re.S)
    words = re.sub(r'[\s/*#"]*\n[\s/*#]*|^[\s/*#]+|[\s/*]+$', ' ', m[1]).strip()
    return ' '.join(re.split(r'[.;](?:\s|$)', words)[0].split()[:FILES_WORDS])


def named_files(tree: Tree) -> Iterator[Finding]:
    """A document's `src/pop3/client_test.c` is there, and `src/pop3/client_test.c: a blank id` has that text in it."""
    for page in tree.files.values():
        if not page.path.endswith('.md'):
            continue
        rows = {m.start(1) for m in FILES_ROW.finditer(page.text)}      # files_table's
        for m in NAMED_FILE.finditer(page.text):
            source = tree.get(m[1])
            there = tree.has(m[1]) if m[2] is None else m[2] and source and m[2] in source.text
            if not there and m.start(1) not in rows:
                yield Finding(page.path, page.line(m.start()), f'names what is not there: {m[0].strip("`")}')


def links(tree: Tree) -> Iterator[Finding]:
    for page in tree.files.values():
        if not page.path.endswith('.md'):
            continue
        for m in LINK.finditer(page.text):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page.path), m[1]))
            if not tree.has(path):
                yield Finding(page.path, page.line(m.start()), f'links to {m[1]}, which is not there')


RULES = (missing_tests, dead_files, files_table, named_files, links)
