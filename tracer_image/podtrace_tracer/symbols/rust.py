"""Rust's own mangling of names, "v0" (RFC 2603): paths with their generic arguments, without the hashes of crates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_MAX_DEPTH: Final = 60
_MAX_STEPS: Final = 2_000
_BASIC_TYPES: Final = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize", "j": "usize",
    "l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_", "s": "i16", "t": "u16", "u": "()", "v": "...",
    "x": "i64", "y": "u64", "z": "!",
}  # fmt: skip


class _UnreadableError(ValueError):
    """The name is not of this form, or too deep."""


def demangled_v0(name: str) -> str:
    """The name as in the source; empty where it cannot be read."""
    try:
        return _Reader(name[2:].partition(".")[0]).path(in_value=True)
    except (_UnreadableError, IndexError, ValueError):
        return ""


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._steps = 0
        self._depth = 0

    def path(self, *, in_value: bool) -> str:
        """A path, and how deep it goes: hostile names refer back to themselves."""
        self._enter()
        tag = self._take()
        found = self._path_of(tag, in_value=in_value)
        self._depth -= 1
        return found

    def _path_of(self, tag: str, *, in_value: bool) -> str:
        if tag == "C":
            return self._identifier()
        if tag == "N":
            kind = self._take()
            inside = self.path(in_value=in_value)
            number, name = self._disambiguator(), self._undisambiguated()
            if kind.isupper():
                word = {"C": "closure", "S": "shim"}.get(kind, kind)
                return f"{inside}::{{{word}{f':{name}' if name else ''}#{number}}}"
            return f"{inside}::{name}" if name else inside
        if tag in "MX":
            self._disambiguator()
            self.path(in_value=False)
            itself = self.type()
            return f"<{itself}>" if tag == "M" else f"<{itself} as {self.path(in_value=False)}>"
        if tag == "Y":
            itself = self.type()
            return f"<{itself} as {self.path(in_value=False)}>"
        if tag == "I":
            inside = self.path(in_value=in_value)
            arguments = self._list(self._argument)
            return f"{inside}{'::' if in_value else ''}<{', '.join(arguments)}>"
        if tag == "B":
            return self._back(lambda: self.path(in_value=in_value))
        raise _UnreadableError(tag)

    def type(self) -> str:
        """A type."""
        self._enter()
        found = self._type_of(self._take())
        self._depth -= 1
        return found

    def _type_of(self, tag: str) -> str:
        if tag in _BASIC_TYPES:
            return _BASIC_TYPES[tag]
        if tag in "RQPO":
            if tag in "RQ" and self._peek() == "L":
                self._lifetime()
            return {"R": "&", "Q": "&mut ", "P": "*const ", "O": "*mut "}[tag] + self.type()
        if tag == "A":
            return f"[{self.type()}; {self._constant()}]"
        if tag == "S":
            return f"[{self.type()}]"
        if tag == "T":
            parts = self._list(self.type)
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        if tag == "F":
            return self._function()
        if tag == "D":
            return self._dynamic()
        if tag == "B":
            return self._back(self.type)
        self._at -= 1
        return self.path(in_value=False)

    def _function(self) -> str:
        self._binder()
        unsafe = "unsafe " if self._skip("U") else ""
        abi = ""
        if self._skip("K"):
            abi = "C" if self._skip("C") else self._undisambiguated()
        arguments = self._list(self.type)
        result = self.type()
        before = f'{unsafe}extern "{abi}" ' if abi else unsafe
        behind = "" if result == "()" else f" -> {result}"
        return f"{before}fn({', '.join(arguments)}){behind}"

    def _dynamic(self) -> str:
        self._binder()
        traits = self._list(self._trait)
        self._lifetime()
        return f"dyn {' + '.join(traits)}"

    def _trait(self) -> str:
        text = self.path(in_value=False)
        bindings = []
        while self._skip("p"):
            name = self._undisambiguated()
            bindings.append(f"{name} = {self.type()}")
        return f"{text}<{', '.join(bindings)}>" if bindings else text

    def _argument(self) -> str:
        if self._peek() == "L":
            return self._lifetime()
        return self._constant() if self._skip("K") else self.type()

    def _constant(self) -> str:
        tag = self._take()
        if tag == "B":
            return self._back(self._constant)
        if tag == "p":
            return "_"
        digits = ""
        while (character := self._take()) != "_":
            digits += character
        return digits if digits.startswith("n") else str(int(digits or "0", 16))

    def _lifetime(self) -> str:
        if not self._skip("L"):
            raise _UnreadableError("no lifetime")
        self._number62()
        return "'_"

    def _binder(self) -> None:
        if self._skip("G"):
            self._number62()

    def _list(self, item: Callable[[], str]) -> list[str]:
        found: list[str] = []
        while not self._skip("E"):
            found.append(item())
            self._count_step()
        return found

    def _back(self, read: Callable[[], str]) -> str:
        """Reads what stands earlier in the name."""
        place, here = self._number62(), self._at
        if place >= here:
            raise _UnreadableError("forward")
        self._at = place
        found = read()
        self._at = here
        return found

    def _identifier(self) -> str:
        self._disambiguator()
        return self._undisambiguated()

    def _disambiguator(self) -> int:
        return self._number62() + 1 if self._skip("s") else 0

    def _undisambiguated(self) -> str:
        is_punycode = self._skip("u")
        digits = ""
        while self._peek().isdigit():
            digits += self._take()
            if digits == "0":
                break
        size = int(digits)
        self._skip("_")
        text = self._text[self._at : self._at + size]
        if len(text) < size:
            raise _UnreadableError("short")
        self._at += size
        return _of_punycode(text) if is_punycode else text

    def _number62(self) -> int:
        if self._skip("_"):
            return 0
        value = 0
        while (character := self._take()) != "_":
            value = value * 62 + _DIGITS.index(character)
            self._count_step()
        return value + 1

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _UnreadableError("too deep")
        self._count_step()

    def _count_step(self) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise _UnreadableError("too long")

    def _take(self) -> str:
        character = self._text[self._at]
        self._at += 1
        return character

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True


_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _of_punycode(text: str) -> str:
    head, _, tail = text.rpartition("_")
    try:
        return (f"{head}-{tail}" if head else tail).encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return text
