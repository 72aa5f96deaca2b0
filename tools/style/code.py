# SPDX-License-Identifier: Apache-2.0
"""What stands inside a file: calls, lengths, switches, gotos, first lines, blanks, places."""
import re
from typing import Iterator

from style.source import Finding, Source, Span, Tree, WORD

FUNCTION_LINES = 70
FILE_LINES = 500
CONTRACT_WORDS = 10         # of a header that a screen shows whole; beyond that:
CONTRACT_WORDS_LONG = 25
SCREEN_LINES = 40

BANNED = {
    'strcpy': 'buf_add or memcpy with a length', 'strcat': 'buf_add', 'strncpy': 'memcpy with a length',
    'strncat': 'buf_add', 'stpcpy': 'buf_add', 'sprintf': 'snprintf or buf_printf', 'vsprintf': 'vsnprintf',
    'gets': 'lines_next', 'strtok': 'span_word', 'scanf': 'span_number', 'fscanf': 'span_number', 'sscanf': 'span_number',
    'atoi': 'span_number', 'atol': 'span_number', 'atoll': 'span_number', 'atof': 'span_number',
    'system': 'child.h', 'popen': 'child.h', 'alloca': 'a buffer with a limit', 'setjmp': 'an error and a return',
    'sigsetjmp': 'an error and a return', 'longjmp': 'an error and a return', 'siglongjmp': 'an error and a return',
    'rand': 'random_fill', 'srand': 'random_fill', 'random': 'random_fill', 'srandom': 'random_fill',
    'drand48': 'random_fill', 'signal': 'sigaction or loop_on_signal', 'gmtime': 'gmtime_r', 'localtime': 'localtime_r',
    'asctime': 'moment_text', 'ctime': 'moment_text', 'bzero': 'wipe or an initialiser', 'bcopy': 'memmove',
    'sleep': 'a timer', 'usleep': 'a timer', 'mktemp': 'mkdtemp or O_TMPFILE', 'tmpnam': 'mkdtemp or O_TMPFILE',
    'tempnam': 'mkdtemp or O_TMPFILE', 'gethostbyname': 'conn_open', 'inet_addr': 'inet_pton', 'inet_ntoa': 'inet_ntop',
    'strerror_l': 'err_errno',
}
# Allowed in a test, not in the program.
BANNED_OUTSIDE_TESTS = {
    'nanosleep': 'a timer', 'strtol': 'span_number', 'strtoul': 'span_number', 'strtoll': 'span_number',
    'strtoull': 'span_number', 'getaddrinfo': 'conn_open',
}
PLACES = re.compile(r'(?<![\w.~}])/(?:home|work|Users|root|mnt|srv/git)/\w|\b[\w-]+\.(?:internal|lan|corp|localdomain)\b(?!\.)')
PLACES_ARE_RULES = 'tools/style/code.py'


def banned_calls(tree: Tree) -> Iterator[Finding]:
    for source in tree.c():
        banned = BANNED if source.is_test else BANNED | BANNED_OUTSIDE_TESTS
        for line, name in source.calls(frozenset(banned)):
            yield Finding(source.path, line, f'calls {name}: use {banned[name]}')


def lengths(tree: Tree) -> Iterator[Finding]:
    for source in tree.code_files():
        count = len(source.text.splitlines())
        if count > FILE_LINES:
            yield Finding(source.path, FILE_LINES + 1, f'{count} lines, more than {FILE_LINES}: split it by concept')
        if not (source.is_c or source.is_python):
            continue
        for f in source.functions:
            count = source.line(f.end - 1) - source.line(f.start) + 1
            if count > FUNCTION_LINES:
                yield Finding(source.path, source.line(f.start), f'{f.name} has {count} lines, more than {FUNCTION_LINES}')


def licence_lines(tree: Tree) -> Iterator[Finding]:
    for source in tree.code_files():
        if 'SPDX-License-Identifier: Apache-2.0' not in '\n'.join(source.lines[:2]):
            yield Finding(source.path, 1, 'no line "SPDX-License-Identifier: Apache-2.0" at the top')


def contracts(tree: Tree) -> Iterator[Finding]:
    for source in tree.c('src/'):
        if not source.is_header:
            continue
        if not re.search(r'^#pragma once$', source.text, re.M):
            yield Finding(source.path, 1, 'no "#pragma once"')
        declaration = re.search(r'\S', source.code)
        before = source.text[:declaration.start()] if declaration else source.text
        comments = ' '.join(re.findall(r'/\*.*?\*/', before, re.S)).replace('SPDX-License-Identifier: Apache-2.0', '')
        words = len(WORD.findall(comments))
        least = CONTRACT_WORDS if len(source.lines) <= SCREEN_LINES else CONTRACT_WORDS_LONG
        if words < least:
            yield Finding(source.path, 1, f'its contract has {words} words: a header is a manual (at least {least})')


def our_enums(tree: Tree) -> dict[str, str]:
    """Constant → its named enum.  Nameless enums are numbers, not choices."""
    constants = {}
    for source in tree.c():
        for m in re.finditer(r'\benum\s+(\w+)\s*\{([^}]*)\}', source.code):
            for item in m[2].split(','):
                name = WORD.match(item.strip())
                if name:
                    constants[name.group()] = m[1]
    return constants


def switches(tree: Tree) -> Iterator[Finding]:
    enums = our_enums(tree)
    for source in tree.c():
        for label, switch in default_labels(source):
            cases = re.findall(r'\bcase\s+(\w+)\s*:', source.code[switch.body:switch.end])
            ours = {enums[c] for c in cases if c in enums}
            if ours:
                yield Finding(source.path, source.line(label), f'default: in a switch over enum {min(ours)}: list every case')


def default_labels(source: Source) -> Iterator[tuple[int, Span]]:
    """Each `default:` with the innermost switch around it."""
    for m in re.finditer(r'\bdefault\s*:', source.code):
        around = [s for s in source.switches if s.body < m.start() < s.end]
        if around:
            yield m.start(), max(around, key=lambda s: s.body)


def gotos(tree: Tree) -> Iterator[Finding]:
    for source in tree.c():
        for f in source.functions:
            body = source.code[f.body:f.end]
            out = re.search(r'^[ \t]*out\s*:', body, re.M)
            for m in re.finditer(r'\bgoto\s+(\w+)', body):
                line = source.line(f.body + m.start())
                if m[1] != 'out':
                    yield Finding(source.path, line, f'goto {m[1]}: only one forward `out`')
                elif out and out.start() < m.start():
                    yield Finding(source.path, line, 'goto out jumps backwards')


def shapes(tree: Tree) -> Iterator[Finding]:
    for source in tree.c():
        for m in re.finditer(r'\btypedef\s+(struct|union|enum)\b', source.code):
            yield Finding(source.path, source.line(m.start()), f'typedef of a {m[1]}: name the {m[1]} itself')
        for number, (line, code) in enumerate(zip(source.lines, source.code.split('\n')), 1):
            indent = len(line) - len(line.lstrip(' '))
            if indent and code[indent:indent + 1].strip():
                yield Finding(source.path, number, 'indented by spaces: tabs')


def blanks(tree: Tree) -> Iterator[Finding]:
    for source in tree.files.values():
        for number, line in enumerate(source.lines, 1):
            if line != line.rstrip(' \t\r'):
                yield Finding(source.path, number, 'blanks at the end of the line')
        if source.text and not source.text.endswith('\n'):
            yield Finding(source.path, len(source.lines), 'no line end at the end of the file')
        elif source.text.endswith('\n\n'):
            yield Finding(source.path, len(source.lines) - 1, 'empty lines at the end of the file')


def places(tree: Tree) -> Iterator[Finding]:
    for source in tree.files.values():
        if source.path == PLACES_ARE_RULES:
            continue
        for m in PLACES.finditer(source.text):
            yield Finding(source.path, source.line(m.start()), f'names a place of one machine or net: {m.group().strip()}')


RULES = (banned_calls, lengths, licence_lines, contracts, switches, gotos, shapes, blanks, places)
