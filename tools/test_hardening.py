# SPDX-License-Identifier: Apache-2.0
"""The release binary keeps the promises of meson.build: what readelf sees of its hardening.

The program: $POSTRIDER, else build/postrider.
"""
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get('POSTRIDER', os.path.join(ROOT, 'build', 'postrider'))


@pytest.fixture(scope='module')
def elf():
    assert os.access(PROGRAM, os.X_OK), f'{PROGRAM} is not built (make build, or set POSTRIDER)'
    return subprocess.run(['readelf', '-W', '--file-header', '--section-headers', '--program-headers', '--dynamic', '--dyn-syms',
                           PROGRAM],
                          check=True, capture_output=True, text=True).stdout


def test_position_independent(elf):
    assert re.search(r'^ *Type: +DYN \(Position-Independent', elf, re.M)
    assert re.search(r'FLAGS_1\).*\bPIE\b', elf)


def test_relocations_read_only_and_bound_at_start(elf):
    assert 'GNU_RELRO' in elf
    assert re.search(r'FLAGS\).*BIND_NOW|FLAGS_1\).*\bNOW\b', elf)


def test_stack_not_executable(elf):
    assert re.search(r'GNU_STACK +(\S+ +){5}RW +', elf)


def test_nothing_writable_and_executable(elf):
    assert not re.search(r'^ +LOAD +.*\bRWE\b', elf, re.M)


def test_stack_protector(elf):
    assert '__stack_chk_fail' in elf


def test_fortified(elf):
    """glibc's checking twins are called; 3 (sizes known at run time only) is in the compiler's commands."""
    assert re.search(r'__\w+_chk@', elf.replace('__stack_chk_fail', ''))
    with open(os.path.join(os.path.dirname(PROGRAM), 'compile_commands.json'), encoding='utf-8') as file:
        commands = re.findall(r'"command": "(.*)"', file.read())
    assert commands
    for command in commands:
        assert re.search(r'-D_FORTIFY_SOURCE=3\b', command) and re.search(r' -O[23]\b', command)


@pytest.mark.skipif(os.uname().machine != 'x86_64', reason='x86 only')
def test_indirect_branches_land_on_pads(elf):
    """Debian's start files lack the note that would mark the whole program; so count the landing pads themselves."""
    offset, size = re.search(r'\] \.text +PROGBITS +\w+ (\w+) (\w+)', elf).groups()
    with open(PROGRAM, 'rb') as file:
        file.seek(int(offset, 16))
        text = file.read(int(size, 16))
    assert text.count(b'\xf3\x0f\x1e\xfa') > 100       # endbr64


def test_no_library_path_of_the_builder(elf):
    assert 'RPATH' not in elf and 'RUNPATH' not in elf


def test_assertions_are_in(elf):
    assert '__assert_fail' in elf
