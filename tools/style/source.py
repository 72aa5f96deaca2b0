# SPDX-License-Identifier: Apache-2.0
"""What the rules look at: files, and C text cut into functions, calls and switches.

This is no C parser.  It blanks comments and literals (every offset and line stays where it was) and
counts brackets; that is enough for code as disciplined as STYLE.md wants it.
"""
import ast
import functools
import os
import re
from typing import Iterator, NamedTuple

SKIPPED_DIRS = re.compile(r'^(\.git|build.*|__pycache__|\.pytest_cache|corpus|data)$')
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DIRECTIVE = re.compile(r'^[ \t]*#(?:[^\n\\]|\\\n|\\.)*', re.M)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.M)
WORD = re.compile(r'[A-Za-z_]\w*')


class Finding(NamedTuple):
    path: str
    line: int
    what: str


class Span(NamedTuple):
    """A stretch of a file, by offsets: [start, end)."""
    name: str
    start: int
    body: int       # offset of the opening brace
    end: int


def blanked(match: re.Match) -> str:
    """As long as before, line ends kept; of a literal its quotes too."""
    text = match.group()
    gone = re.sub(r'[^\n]', ' ', text)
    return text[0] + gone[1:-1] + text[-1] if text[0] in '"\'' else gone


def without_comments(text: str) -> str:
    return TOKEN.sub(lambda m: m.group() if m.group()[0] in '"\'' else blanked(m), text)


def closing(code: str, opening: int) -> int:
    """Offset just behind the bracket that closes the one at `opening`."""
    pairs = {'{': '}', '(': ')'}
    left, right, depth = code[opening], pairs[code[opening]], 0
    for i in range(opening, len(code)):
        depth += (code[i] == left) - (code[i] == right)
        if depth == 0:
            return i + 1
    return len(code)


class Source:
    """One text file of the tree."""

    def __init__(self, root: str, path: str):
        self.path = path
        with open(os.path.join(root, path), encoding='utf-8', errors='surrogateescape') as file:
            self.text = file.read()
        parts = path.split('/')
        self.name = parts[-1]
        self.room = parts[1] if parts[0] == 'src' and len(parts) > 2 else ''
        self.is_c = path.endswith(('.c', '.h'))
        self.is_header = path.endswith('.h')
        self.is_test = path.endswith('_test.c') or self.name.startswith('test_') or parts[0] == 'test'
        self.is_python = path.endswith('.py') or bool(re.match(r'#!\S*python3?\b', self.text))

    @functools.cached_property
    def lines(self) -> list[str]:
        return self.text.split('\n')

    @functools.cached_property
    def code(self) -> str:
        """The text with comments, literals and preprocessor lines blanked."""
        return DIRECTIVE.sub(blanked, TOKEN.sub(blanked, self.text))

    @functools.cached_property
    def includes(self) -> list[tuple[int, bool, str]]:
        """(line, is one of ours, name)"""
        text = without_comments(self.text)
        return [(self.line(m.start()), m[1] == '"', m[2]) for m in INCLUDE.finditer(text)]

    @functools.cached_property
    def functions(self) -> list[Span]:
        return list(python_functions(self.text) if self.is_python else c_functions(self.code))

    @functools.cached_property
    def switches(self) -> list[Span]:
        found = []
        for m in re.finditer(r'\bswitch\s*\(', self.code):
            after = closing(self.code, m.end() - 1)
            body = self.code.find('{', after)
            if body >= 0 and not self.code[after:body].strip():
                found.append(Span('switch', m.start(), body, closing(self.code, body)))
        return found

    def line(self, offset: int) -> int:
        return self.text.count('\n', 0, offset) + 1

    def calls(self, names: frozenset[str]) -> Iterator[tuple[int, str]]:
        """Calls by name of a plain function: not of a member, nor of a longer name."""
        for m in re.finditer(r'(?<![\w.])(?<!->)([A-Za-z_]\w*)\s*\(', self.code):
            if m[1] in names:
                yield self.line(m.start()), m[1]


def c_functions(code: str) -> Iterator[Span]:
    head = at = 0
    while at < len(code):
        c = code[at]
        if c in ';}':
            head = at + 1
        elif c == '{':
            name = function_name(code[head:at])
            end = closing(code, at)
            if name:
                start = head + len(code[head:at]) - len(code[head:at].lstrip())
                yield Span(name, start, at, end)
                head = end
            at = end - 1
        at += 1


def function_name(head: str) -> str:
    """The name out of `static bool f(int a)`; empty when this begins no function's body."""
    head = re.sub(r'\[\[.*?\]\]|__attribute__\s*\(\(.*?\)\)', ' ', head, flags=re.S).strip()
    if not head.endswith(')') or '=' in head:
        return ''
    m = re.search(r'([A-Za-z_]\w*)\s*\(', head)
    return m[1] if m else ''


def python_functions(text: str) -> Iterator[Span]:
    starts = [0]
    for line in text.split('\n'):
        starts.append(starts[-1] + len(line) + 1)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield Span(node.name, starts[node.lineno - 1], starts[node.lineno - 1], starts[node.end_lineno] - 1)


class Tree:
    """All text files under a root, read once."""

    def __init__(self, root: str):
        self.root = root
        self.files: dict[str, Source] = {}
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(d for d in folders if not SKIPPED_DIRS.match(d))
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), root)
                if is_ours(os.path.join(root, path), name):
                    self.files[path] = Source(root, path)
        self.find_test_headers()

    def find_test_headers(self) -> None:
        """A header that only tests include is a test's."""
        users: dict[str, list[Source]] = {}
        for source in self.c():
            for _, ours, name in source.includes:
                if ours:
                    users.setdefault('src/' + name, []).append(source)
        for path, sources in users.items():
            if path in self.files and all(s.is_test for s in sources):
                self.files[path].is_test = True

    def get(self, path: str) -> Source | None:
        return self.files.get(path)

    def has(self, path: str) -> bool:
        """A file or a folder, ours or data."""
        return path in self.files or os.path.exists(os.path.join(self.root, path))

    def c(self, under: str = '') -> Iterator[Source]:
        return (s for p, s in self.files.items() if s.is_c and p.startswith(under))

    def code_files(self) -> Iterator[Source]:
        """Everything that is program: C, Python, shell, build files."""
        return (s for s in self.files.values()
                if s.is_c or s.is_python or s.name in ('meson.build', 'meson_options.txt', 'Makefile')
                or s.text.startswith('#!') or s.path.endswith('.sh'))


def is_ours(path: str, name: str) -> bool:
    if name.endswith(('.c', '.h', '.py', '.sh', '.md', '.ts', '.css', '.html')) or name in ('meson.build', 'meson_options.txt', 'Makefile'):
        return True
    if '.' in name or not os.path.isfile(path):
        return False
    with open(path, 'rb') as file:
        return file.read(2) == b'#!'
