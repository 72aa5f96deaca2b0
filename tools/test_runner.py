# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/test: it counts what ran, believes no silence, and ends with one line and the right exit code."""
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest

LOADER = importlib.machinery.SourceFileLoader('runner', str(Path(__file__).with_name('test')))
runner = importlib.util.module_from_spec(importlib.util.spec_from_loader('runner', LOADER))
LOADER.exec_module(runner)

GOOD = '[==========] 2 test(s) run.\n[  PASSED  ] 2 test(s).'
BAD = '[  PASSED  ] 1 test(s).\n[  FAILED  ] 2 test(s), listed below:\n[  FAILED  ] a\n[  FAILED  ] b'
UNITS = [
    ('all good', f"echo '{GOOD}'", (2, 0)),
    ('two of three failed', f"echo '{BAD}'; exit 2", (1, 2)),
    ('a sanitizer after the last test', f"echo '{GOOD}'; exit 1", (2, 1)),
    ('killed by a signal', f"echo '{GOOD}'; kill -9 $$", (2, 1)),
    ('silence is no success', 'true', (0, 1)),
    ('no end', 'sleep 1000', (0, 1)),
]


@pytest.mark.parametrize('script, want', [r[1:] for r in UNITS], ids=[r[0] for r in UNITS])
def test_unit_is_counted(script, want):
    unit = {'cmd': ['/bin/sh', '-c', script], 'env': {}, 'workdir': None, 'timeout': 2, 'suite': ['room'], 'name': 'x'}
    result = runner.unit(unit)
    assert (result.passed, result.failed) == want
    assert bool(result.said) == bool(want[1])


PYTESTS = [
    ('all good', 'def test_a(): pass\ndef test_b(): pass\n', (2, 0)),
    ('one failed', 'def test_a(): pass\ndef test_b(): assert False\n', (1, 1)),
    ('one in error', 'import pytest\n@pytest.fixture\ndef x(): raise OSError\ndef test_a(x): pass\n', (0, 1)),
    ('one skipped', 'import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip("why")\n', (1, 0)),
    ('none', '', (0, 1)),
    ('no Python', 'def', (0, 1)),
]


@pytest.mark.parametrize('text, want', [r[1:] for r in PYTESTS], ids=[r[0] for r in PYTESTS])
def test_pytest_is_counted(tmp_path, text, want):
    (tmp_path / 'test_x.py').write_text(text)
    result = runner.pytest(str(tmp_path))
    assert (result.passed, result.failed) == want


MAINS = [
    ('good', {'a': (3, 0), 'b': (1, 0)}, '4 passed, 0 failed', 0),
    ('bad', {'a': (3, 0), 'b': (1, 2)}, '4 passed, 2 failed', 1),
    ('nothing ran', {'a': (0, 0)}, '0 passed, 0 failed', 1),
    ('what it needs has failed', {'a': (0, 1), 'b needs a': (5, 0)}, '0 passed, 2 failed', 1),
]


@pytest.mark.parametrize('jobs, line, code', [r[1:] for r in MAINS], ids=[r[0] for r in MAINS])
def test_closing_line_and_exit_code(monkeypatch, capsys, jobs, line, code):
    made = {}
    for name, counts in jobs.items():
        own, _, needs = name.partition(' needs ')
        made[own] = runner.Job(lambda counts=counts: runner.Result(*counts, 'said' if counts[1] else ''), (needs,) if needs else ())
    monkeypatch.setattr(runner, 'JOBS', made)
    monkeypatch.setattr(sys, 'argv', ['test'])
    assert runner.main() == code
    assert capsys.readouterr().out.splitlines()[-1] == line
