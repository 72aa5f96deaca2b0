# SPDX-License-Identifier: Apache-2.0
"""What the documents tell people to write is right: README's configuration and commands, the example file.

The program: $POSTRIDER, else build/postrider.
"""
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get('POSTRIDER', str(ROOT / 'build' / 'postrider'))


def run(home: Path, *args: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, env={'HOME': str(home)}, cwd=home, timeout=60)


def blocks() -> list[str]:
    """README's indented blocks."""
    text = (ROOT / 'README.md').read_text()
    return [re.sub(r'^    ', '', b, flags=re.M) for b in re.findall(r'(?:^    .*\n|(?<=\n)\n)+', text, re.M) if b.strip()]


def test_readme_configuration(tmp_path):
    sections = re.findall(r'^target \w+ \{[^\n]*\}$|^connection \w+ \{\n.*?^\}$', '\n'.join(blocks()), re.M | re.S)
    assert len(sections) >= 3
    for name in re.findall(r"'file:~/([^']+)'", '\n'.join(sections)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('secret\n')
        (tmp_path / name).chmod(0o600)
    conf = tmp_path / 'postrider.conf'
    conf.write_text(f"state = '{tmp_path}/state'\n" + '\n'.join(sections) + '\n')
    conf.chmod(0o600)
    done = run(tmp_path, '-c', str(conf), 'check')
    assert (done.returncode, done.stderr) == (0, ''), done
    assert '0 warnings' in done.stdout


def test_readme_commands(tmp_path):
    """Each `postrider COMMAND` in README is one that this build has."""
    commands = set(re.findall(r'^postrider (\w+)', '\n'.join(blocks()), re.M))
    assert {'collect', 'check', 'history'} <= commands
    listed = dict(re.findall(r'^  (\w+) +(.*)$', run(tmp_path).stdout, re.M))
    for command in commands:
        assert command in listed and 'not built yet' not in listed[command], command


def test_example_configuration(tmp_path):
    """Its certificate is one of the test's."""
    conf = tmp_path / 'postrider.conf'
    conf.write_text((ROOT / 'docs' / 'postrider.conf.example').read_text().replace('"/etc/postrider/tls.', f'"{tmp_path}/tls.'))
    conf.chmod(0o600)
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=x',
                    '-keyout', tmp_path / 'tls.key', '-out', tmp_path / 'tls.pem'], check=True, capture_output=True)
    done = run(tmp_path, '-c', str(conf), 'check')
    assert done.returncode == 0, done
