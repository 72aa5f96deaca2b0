# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/tidy: one clean tree, and for each rule a small tree that breaks it at one known place."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

TIDY = Path(__file__).with_name('tidy')
SPDX = '/* SPDX-License-Identifier: Apache-2.0 */\n'
CONTRACT = '''/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines out of a stream.  Bytes go in at any split and whole lines come out; a
 * span borrows the memory that the caller lent and dies with the next call.
 * A line longer than that memory is refused, once, and then it is over. */
#pragma once
'''
MESON = "# SPDX-License-Identifier: Apache-2.0\nfiles('line.c')\nforeach name : ['line']\n  test(name + '_test.c')\nendforeach\n"

CLEAN = {
    'meson.build': '# SPDX-License-Identifier: Apache-2.0\n',
    'src/wire/meson.build': MESON,
    'src/wire/line.h': CONTRACT + '\n#include <stdbool.h>\n\nenum got { GOT_NONE, GOT_LINE };\n\nbool line(enum got g);\n',
    'src/wire/line.c': SPDX + '''#include "wire/line.h"

/* A comment may say strcpy(a, b); and goto hell; and default: as it likes. */
bool line(enum got g)
{
	const char *said = "strcpy(a, b); { goto hell;";
	bool good = false;

	if (!said)
		goto out;
	switch (g) {
	case GOT_NONE:
		break;
	case GOT_LINE:
		good = true;
		break;
	}
out:
	return good;
}
''',
    'src/wire/line_test.c': SPDX + '#include "wire/line.h"\n\n/* a blank id */\n',
    'src/main/meson.build': "# SPDX-License-Identifier: Apache-2.0\nfiles('main.c')\n",
    'src/main/main.c': SPDX + '#include "wire/line.h"\n\nint main(void)\n{\n\treturn line(GOT_LINE);\n}\n',
    'tools/check': '#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\ntrue\n',
    'ARCHITECTURE.md': '''# The house

| file | what |
|---|---|
| `src/wire/line` | lines out of a byte stream |
| `src/main/main` | the one main |
| `tools/check` | says yes |

A [link](VIOLATIONS.md) and [one out](https://www.example.org/).
''',
    'VIOLATIONS.md': 'A trap, and what proves it: `src/wire/line_test.c: a blank id`\n',
}


def room(name: str, body: str, includes: str = '', file: str = 'x', **more: str) -> dict[str, str]:
    """A whole room src/NAME with one file x.c that main uses, listed everywhere it must be: clean but for `body`."""
    rows = CLEAN['ARCHITECTURE.md'].replace('| `tools', f'| `src/{name}/{file}` | a file |\n| `tools')
    return {
        f'src/{name}/meson.build': f"# SPDX-License-Identifier: Apache-2.0\nfiles('{file}.c', '{file}_test.c')\n",
        f'src/{name}/{file}.h': CONTRACT,
        f'src/{name}/{file}.c': SPDX + f'#include "{name}/{file}.h"\n' + includes + body,
        f'src/{name}/{file}_test.c': SPDX + f'#include "{name}/{file}.h"\n',
        'src/main/main.c': CLEAN['src/main/main.c'].replace('#include', f'#include "{name}/{file}.h"\n#include'),
        'ARCHITECTURE.md': rows, **more,
    }


def function(lines: int) -> str:
    """A function of so many lines."""
    return 'void f(void)\n{\n' + '\tf();\n' * (lines - 3) + '}\n'


# name, what differs from the clean tree (None: file removed), what tidy must say (exactly these lines)
LINE_C, LINE_H = CLEAN['src/wire/line.c'], CLEAN['src/wire/line.h']
PAGE = CLEAN['ARCHITECTURE.md']
ROWS = [
    # The include law.
    ('wire may not include net', {**room('net', ''), 'src/wire/line.c': LINE_C.replace('"\n', '"\n#include "net/x.h"\n', 1)},
     ['src/wire/line.c:3: wire may not include net ("net/x.h")']),
    ('of equals, net may not include store', {**room('net', '', '#include "store/y.h"\n'), 'src/store/y.h': CONTRACT,
                                              'src/store/y_test.c': None},
     ['src/net/x.c:3: net may not include store ("store/y.h")', 'src/store/y.h:1: no row `src/store/y`']),
    ('of equals, net may not include pop3', {**room('net', '', '#include "pop3/y.h"\n'), 'src/pop3/y.h': CONTRACT},
     ['src/net/x.c:3: net may not include pop3 ("pop3/y.h")', 'src/pop3/y.h:1: no row `src/pop3/y`']),
    ('pop3 may include sasl', {**room('pop3', '', '#include "sasl/y.h"\n'), 'src/sasl/y.h': CONTRACT},
     ['src/sasl/y.h:1: no row `src/sasl/y`']),
    ('sasl may not include pop3', {**room('sasl', '', '#include "pop3/y.h"\n'), 'src/pop3/y.h': CONTRACT},
     ['src/sasl/x.c:3: sasl may not include pop3', 'src/pop3/y.h:1: no row `src/pop3/y`']),
    ('collect and serve are strangers', {**room('collect', '', '#include "serve/y.h"\n'), 'src/serve/y.h': CONTRACT},
     ['src/collect/x.c:3: collect may not include serve', 'src/serve/y.h:1: no row `src/serve/y`']),
    ('collect may include everything right of it', room('collect', '', '#include "wire/line.h"\n'), []),
    ('base knows nothing', room('base', '', '#include "wire/line.h"\n'), ['src/base/x.c:3: base may not include wire']),
    ('a room that is none', {'src/attic/x.h': CONTRACT},
     ['src/attic/x.h:1: attic is not a room', 'src/attic/x.h:1: dead', 'src/attic/x.h:1: no row']),
    ('an include by short name', room('net', '', '#include "x.h"\n'), ['src/net/x.c:3: includes "x.h": no such file below src/']),
    ('an included .c', room('net', '', '#include "wire/line.c"\n'), ['src/net/x.c:3: includes "wire/line.c": only headers']),
    # Purity.
    ('a socket header in a pure room', room('pop3', '', '#include <sys/socket.h>\n'), ['src/pop3/x.c:3: the pure room pop3 includes sys/socket.h']),
    ('a clock in a pure room', room('sasl', '', '#include <time.h>\n'), ['src/sasl/x.c:3: the pure room sasl includes time.h']),
    ('threads in a pure room', room('imap', '', '#include <pthread.h>\n'), ['src/imap/x.c:3: the pure room imap includes pthread.h']),
    ('a thread in net', room('net', '', '#include <pthread.h>\n'), []),
    ('malloc in a pure room', room('smtp', 'void *f(void)\n{\n\treturn malloc(1);\n}\n'), ['src/smtp/x.c:5: the pure room smtp calls malloc']),
    ('free in a pure room', room('wire', 'void f(void *p)\n{\n\tfree(p);\n}\n', **{'src/wire/meson.build': MESON.replace("'line.c'", "'line.c', 'x.c'").replace("['line']", "['line', 'x']")}),
     ['src/wire/x.c:5: the pure room wire calls free']),
    ('a member called free is no call of free', room('pop3', 'void f(struct p *p)\n{\n\tp->free(p);\n}\n'), []),
    ('a test and its header may allocate', room('pop3', '', **{
        'src/pop3/x_test.c': SPDX + '#include "pop3/story.h"\n', 'src/pop3/story.h': CONTRACT + 'static void f(void *p)\n{\n\tfree(p);\n}\n'}),
     ['src/pop3/story.h:1: no row']),
    ('what tests share needs no test', room('net', '', **{
        'src/net/test_pki.c': SPDX + 'void f(void)\n{\n\tnanosleep(a, b);\n}\n',
        'src/net/meson.build': "# SPDX-License-Identifier: Apache-2.0\nfiles('x.c', 'x_test.c', 'test_pki.c')\n"}),
     ['src/net/test_pki.c:1: no row']),
    ('sasl may allocate', room('sasl', 'void *f(void)\n{\n\treturn malloc(1);\n}\n'), []),
    # Calls.
    ('strcpy', room('net', 'void f(void)\n{\n\tstrcpy(a, b);\n}\n'), ['src/net/x.c:5: calls strcpy']),
    ('a longer name', room('net', 'void f(void)\n{\n\tmy_strcpy(a, b);\n\tgmtime_r(a, b);\n}\n'), []),
    ('sleep in a test', room('net', '', **{'src/net/x_test.c': SPDX + 'void f(void)\n{\n\tusleep(1);\n}\n'}), ['src/net/x_test.c:4: calls usleep']),
    ('strtoul in the program', room('net', 'void f(void)\n{\n\tstrtoul(a, b, 10);\n}\n'), ['src/net/x.c:5: calls strtoul']),
    ('strtoul in a test', room('net', '', **{'src/net/x_test.c': SPDX + 'void f(void)\n{\n\tstrtoul(a, b, 10);\n}\n'}), []),
    # Lengths.
    ('a function of 70 lines', room('net', function(70)), []),
    ('a function of 71 lines', room('net', function(71)), ['src/net/x.c:3: f has 71 lines']),
    ('a long table is no function', room('net', 'static const int rows[] = {\n' + '\t1,\n' * 80 + '};\n'), []),
    ('a long Python function', {'tools/check': '#!/usr/bin/python3\n# SPDX-License-Identifier: Apache-2.0\ndef f():\n' + '    f()\n' * 70},
     ['tools/check:3: f has 71 lines']),
    ('a file of 501 lines', room('net', '/* why */\n' * 499), ['src/net/x.c:501: 501 lines']),
    # First lines and contracts.
    ('no licence line', {'tools/check': '#!/bin/sh\ntrue\n'}, ['tools/check:1: no line "SPDX']),
    ('no #pragma once', {'src/wire/line.h': LINE_H.replace('#pragma once\n', '')}, ['src/wire/line.h:1: no "#pragma once"']),
    ('a header without a contract', {'src/wire/line.h': SPDX + '#pragma once\n\nenum got { GOT_NONE, GOT_LINE };\n'},
     ['src/wire/line.h:1: its contract has 0 words']),
    ('a short contract before a screen', {'src/wire/line.h': SPDX + '/* ' + 'word ' * 12 + '*/\n' + LINE_H.split('*/\n', 1)[1]}, []),
    ('a short contract before many screens', {'src/wire/line.h': SPDX + '/* ' + 'word ' * 12 + '*/\n' + LINE_H.split('*/\n', 1)[1] + 'int a;\n' * 40},
     ['src/wire/line.h:1: its contract has 12 words']),
    ('a contract that stands too late', {'src/wire/line.h': SPDX + '#pragma once\nint early;\n' + CONTRACT.split('\n', 1)[1].replace(' *', '/*', 1)},
     ['src/wire/line.h:1: its contract has 0 words']),
    # Switches, gotos, shapes.
    ('default: over our enum', {'src/wire/line.c': LINE_C.replace('case GOT_NONE:', 'default:')}, ['src/wire/line.c:13: default: in a switch over enum got']),
    ('default: over numbers', {'src/wire/line.c': LINE_C.replace('case GOT_NONE:', 'default:').replace('GOT_LINE', "'x'")}, []),
    ('goto elsewhere', {'src/wire/line.c': LINE_C.replace('goto out', 'goto end').replace('out:', 'end:')}, ['src/wire/line.c:11: goto end']),
    ('goto backwards', {'src/wire/line.c': LINE_C.replace('\tif (!said)', 'out:\n\tif (!said)').replace('}\nout:\n', '}\n')}, ['src/wire/line.c:12: goto out jumps backwards']),
    ('a typedef of a struct', room('net', 'typedef struct a a;\n'), ['src/net/x.c:3: typedef of a struct']),
    ('a typedef of a function', room('net', 'typedef void f(void);\n'), []),
    ('spaces for tabs', room('net', 'void f(void)\n{\n    f();\n}\n'), ['src/net/x.c:5: indented by spaces']),
    # Blanks and places.
    ('blanks at the end', {'VIOLATIONS.md': 'text \n'}, ['VIOLATIONS.md:1: blanks at the end']),
    ('no line end', {'VIOLATIONS.md': 'text'}, ['VIOLATIONS.md:1: no line end']),
    ('empty lines at the end', {'VIOLATIONS.md': 'text\n\n'}, ['VIOLATIONS.md:2: empty lines at the end']),
    ('a path of one machine', {'VIOLATIONS.md': 'see /' + 'home/anna/x\n'}, ['VIOLATIONS.md:1: names a place']),
    ('a host of one net', {'VIOLATIONS.md': 'see build7.' + 'internal\n'}, ['VIOLATIONS.md:1: names a place']),
    # The tree.
    ('no test beside the file', {'src/wire/line_test.c': None, 'VIOLATIONS.md': 'text\n'}, ['src/wire/line.c:1: no line_test.c beside it']),
    ('main needs no test beside it', {}, []),
    ('a dead .c', {'src/wire/meson.build': MESON.replace("'line.c'", '')}, ['src/wire/line.c:1: dead']),
    ('a dead test', {'src/wire/meson.build': MESON.replace("['line']", '[]')}, ['src/wire/line_test.c:1: dead']),
    ('a harness by its made name', {'test/fuzz/fuzz_line.c': SPDX, 'ARCHITECTURE.md': PAGE.replace('| `tools', '| `test/fuzz/fuzz_line.c` | a harness |\n| `tools'),
                                    'test/fuzz/meson.build': "# SPDX-License-Identifier: Apache-2.0\nnames = ['line']\nfiles('fuzz_' + name + '.c')\n"}, []),
    ('a dead header', {'src/main/main.c': SPDX}, ['src/wire/line.h:1: dead: nobody else']),
    ('a file that the table lacks', {'ARCHITECTURE.md': PAGE.replace('| `src/wire/line` | lines out of a byte stream |\n', '')}, ['src/wire/line.c:1: no row `src/wire/line`']),
    ('a row without its file', {'ARCHITECTURE.md': PAGE.replace('| `tools/check', '| `tools/gone` | was here |\n| `tools/check')}, ['ARCHITECTURE.md:7: the FILES table lists tools/gone']),
    ('a row of many words', {'ARCHITECTURE.md': PAGE.replace('says yes', 'yes ' * 20 + 'yes')}, ['ARCHITECTURE.md:7: tools/check: say it in ten words']),
    ('a named test that is not there', {'VIOLATIONS.md': '`src/wire/line_test.c: an id of 71 octets`\n'}, ['VIOLATIONS.md:1: names what is not there: src/wire/line_test.c: an id']),
    ('a test without its name', {'VIOLATIONS.md': '`src/wire/line_test.c: `\n'}, ['VIOLATIONS.md:1: names what is not there: src/wire/line_test.c:']),
    ('a named file that is not there', {'VIOLATIONS.md': '`test/transcripts/gone.txt`\n'}, ['VIOLATIONS.md:1: names what is not there: test/transcripts/gone.txt']),
    ('a link to nowhere', {'VIOLATIONS.md': '[x](docs/gone.md)\n'}, ['VIOLATIONS.md:1: links to docs/gone.md']),
]


def tidy(root: Path, changes: dict[str, str | None]) -> subprocess.CompletedProcess:
    for path, text in {**CLEAN, **changes}.items():
        if text is not None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
    return subprocess.run([sys.executable, TIDY, root], capture_output=True, text=True, env={**os.environ, 'PYTHONDONTWRITEBYTECODE': '1'})


def test_clean_tree(tmp_path):
    done = tidy(tmp_path, {})
    assert (done.stdout, done.stderr, done.returncode) == ('', '', 0)


@pytest.mark.parametrize('changes, want', [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_rule(tmp_path, changes, want):
    done = tidy(tmp_path, changes)
    said = done.stdout.splitlines()
    assert done.stderr == ''
    assert done.returncode == (1 if want else 0)
    assert len(said) == len(want) and all(any(s.startswith(w) for s in said) for w in want), done.stdout


def test_files_completes_the_table(tmp_path):
    tidy(tmp_path, room('net', ''))
    (tmp_path / 'ARCHITECTURE.md').write_text(PAGE)
    done = subprocess.run([sys.executable, TIDY, '--files', tmp_path], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ('', '', 0)
    said = (tmp_path / 'ARCHITECTURE.md').read_text()
    rows = [line for line in said.splitlines() if line.startswith('| `')]
    assert rows == ['| `src/main/main` | the one main |', '| `src/net/x` | Lines out of a stream |',
                    '| `src/wire/line` | lines out of a byte stream |', '| `tools/check` | says yes |']
    assert said.endswith(PAGE[PAGE.index('\nA [link]'):])


def test_exemptions_of_files_that_are_gone(tmp_path):
    """The table of exemptions is this project's: in a tree that has tidy but not those files, each row is a finding."""
    done = tidy(tmp_path, {'tools/style/house.py': '# SPDX-License-Identifier: Apache-2.0\n'})
    said = [line for line in done.stdout.splitlines() if 'no row' not in line]
    assert said and all(line.startswith('tools/style/house.py:1: EXEMPT names src/') for line in said)
