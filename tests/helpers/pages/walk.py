"""Go through a page as a reader does: prepare its inputs, type its commands in order, compare what they print."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time

from helpers.pages import made
from helpers.pages.form import difference
from helpers.pages.steps import ROOT, blocks, pages

SHELL = re.compile(r"[|<>;&]|\$\(")
ASSIGNED = re.compile(r"(?:[A-Z_]+=\S+ +)*")


class Walk:
    """One page in the folder `folder`; `values` fill the {names} of blocks.toml."""

    def __init__(self, name, folder, forked, rules, values):
        self.folder, self.forked, self.rules, self.page = folder, forked, rules, rules.page(name)
        self.values = {**values, "folder": str(folder), "port": str(_free_port())}
        self.env = _environment(folder)
        self.text = pages()[name].read_text(encoding="utf-8") if name in pages() else ""
        self.spent = []

    def prepare(self):
        """Links, files and earlier runs."""
        for name, target in self.page.links.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).symlink_to(self.filled(target))
        for name, text in self.page.files.items():
            self._write(name, self.filled(text))
        for name, place in self.page.blocks.items():
            language, number = place.split(":")
            self._write(name, blocks(self.text, language)[int(number) - 1])
        for what in self.page.made:
            getattr(made, what)(self.folder)
        for command in self.page.before:
            self._must(command)

    def step(self, step):
        """What is wrong with the step, or None; a step that is left out by blocks.toml is not run."""
        rule = self.rules.rule(step)
        if rule.skip:
            return None
        for command in rule.before:
            self._must(command)
        began = self.forked.cpu
        text = step.text
        for old, new in rule.swap.items():
            if old not in text:
                return f"{step}\n  {old!r} of blocks.toml is not in it"
            text = text.replace(old, self.filled(new))
        if step.kind == "python":
            done = self._python(self.filled(rule.given) + "\n" + text)
        elif step.kind == "command":
            line = without_comment(text) + (" " + self.filled(rule.add) if rule.add else "")
            done = self._command(self.rules.shortened(line), rule)
        else:
            done = self._shell(text)
        self.spent.append((self.forked.cpu - began, text[:100]))
        return self._judged(step, rule, *done)

    def filled(self, text):
        """`text` with its {names}."""
        for name, value in self.values.items():
            text = text.replace("{" + name + "}", value)
        return text

    def _judged(self, step, rule, code, out, err):
        wanted = rule.exit or ((1 if step.kind == "python" else 2) if rule.stops else 0)
        if code != wanted:
            return f"{step}\n  exit {code}, not {wanted}: {(err or out)[-1500:]}"
        if rule.stops and not re.search(self.rules.stops[rule.stops], err):
            return f"{step}\n  it does not end as {rule.stops!r} says: {err[-1500:]}"
        if step.shown:
            printed = err if step.shown.startswith("evalkit:") else out
            shown = step.shown
            for text in rule.varies:
                shown = shown.replace(text, " … ")
            differs = difference(shown, printed)
            if differs:
                return f"{step}\n{differs}\n  all of it:\n{printed[-2500:]}"
        return None

    def _command(self, line, rule):
        exported = re.fullmatch(r"export (\w+)=(.*)", line)
        if exported:
            self.env[exported[1]] = exported[2]
            return 0, "", ""
        plain = ASSIGNED.sub("", line, count=1)
        if not plain.startswith("evalkit ") or _of_the_shell(plain):
            return self._shell(line)
        env = {**self.env, **({"COLUMNS": rule.columns} if rule.columns else {})}
        env |= dict(each.split("=", 1) for each in line[: len(line) - len(plain)].split())
        words = [word for each in shlex.split(plain.replace("\\\n", " "))[1:] for word in self._globbed(each)]
        done = self.forked.run(self.folder, env, argv=words, stays=rule.stays)
        if rule.stays:
            _wait_for(int(self.values["port"]))
        return done

    def _globbed(self, word):
        found = sorted(str(each.relative_to(self.folder)) for each in self.folder.glob(word)) if "*" in word else []
        return found or [word]

    def _python(self, code):
        if code.lstrip().startswith(">>>"):
            code = "\n".join(line[4:] for line in code.splitlines() if line.startswith((">>> ", "... ")))
        return self.forked.run(self.folder, self.env, code=code)

    def _shell(self, text):
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def _must(self, command):
        code, out, err = self._command(self.filled(command), self.rules.reading)
        if code:
            raise AssertionError(f"{command} of blocks.toml: exit {code}: {(err or out)[-1500:]}")

    def _write(self, name, text):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")


def without_comment(text):
    """The command without what stands behind a # outside quotes."""
    if "<<" in text:
        return text
    return re.match(r"""(?:"[^"]*"|'[^']*'|(?<!\s)#|[^#"'])*""", text)[0].strip()


def _of_the_shell(line):
    """Something outside quotes is for the shell."""
    return bool(SHELL.search(re.sub(r"\"[^\"]*\"|'[^']*'", "", line)))


def _environment(folder):
    """A home of its own, `evalkit` and `python` of this installation, nothing of the network, 80 columns."""
    tools = folder / ".bin"
    tools.mkdir(parents=True)
    for name, words in (("evalkit", "-m evalkit"), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n', encoding="utf-8")
        (tools / name).chmod(0o755)
    kept = {name: os.environ[name] for name in ("EVALKIT_CACHE", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "EVALKIT_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }


def _free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def _wait_for(port):
    for _ in range(600):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing answers on port {port}")
