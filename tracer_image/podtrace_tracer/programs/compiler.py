"""The compiler: a process of its own, whose memory goes with it. A job comes on stdin, its result goes to stdout.

It is the only door to bcc. clang's errors go to stderr, as it writes them.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

from podtrace_tracer.kernel.instructions import with_map_numbers
from podtrace_tracer.programs.compiled import Compiled, Layout, Map


def layout_of(description: Any) -> Layout:
    """The layout of a C struct, or of one number, that bcc describes by a type of ctypes."""
    size = ctypes.sizeof(description)
    if not hasattr(description, "_fields_"):
        return Layout(size=size, members=(("value", 0, _code(description)),))
    places = ((name, getattr(description, name).offset, _code(kind)) for name, kind in description._fields_)
    return Layout(size=size, members=tuple(places))


def _code(kind: Any) -> str:
    codes = {1: "B", 2: "H", 4: "I", 8: "Q"}
    if issubclass(kind, (ctypes.Array, ctypes.Structure)):
        return f"{ctypes.sizeof(kind)}s"
    code = codes[ctypes.sizeof(kind)]
    signed = kind in (ctypes.c_int, ctypes.c_longlong, ctypes.c_long, ctypes.c_short, ctypes.c_byte)
    return code.lower() if signed else code


def compile_text(text: str, flags: list[str], tree: str) -> Compiled:
    """Compiles a C text against a kernel tree. Raises what bcc raises: ImportError, or a plain Exception."""
    os.environ["BCC_KERNEL_SOURCE"] = tree
    import bcc
    from bcc.libbcc import lib

    # bcc optimizes what clang hands it; once is enough. Nobody reads what is told to debuggers.
    bpf = bcc.BPF(text=text.encode(), cflags=[*flags, "-g0", "-Xclang", "-disable-llvm-passes"])
    library, module = ctypes.CDLL(lib._name), bpf.module
    _declare(library)
    maps = [(library.bpf_table_fd_id(module, n), _map(bpf, library, n)) for n in range(library.bpf_num_tables(module))]
    numbers = {descriptor: number for number, (descriptor, _) in enumerate(maps)}
    programs = {}
    for index in range(library.bpf_num_functions(module)):
        name = library.bpf_function_name(module, index)
        code = ctypes.string_at(library.bpf_function_start(module, name), library.bpf_function_size(module, name))
        programs[name.decode()] = with_map_numbers(code, numbers)
    return Compiled(bcc_version=bcc.__version__, programs=programs, maps=tuple(each for _, each in maps))


def _map(bpf: Any, library: ctypes.CDLL, index: int) -> Map:
    module = bpf.module
    name = library.bpf_table_name(module, index)
    key, value = (
        # A queue has no keys, a ring no values either.
        layout_of(bpf._decode_table_type(json.loads(description))) if description else Layout(size=0, members=())
        for description in (library.bpf_table_key_desc_id(module, index), library.bpf_table_leaf_desc_id(module, index))
    )
    return Map(
        name=name.decode(),
        kind=library.bpf_table_type_id(module, index),
        flags=library.bpf_table_flags_id(module, index),
        entries=library.bpf_table_max_entries_id(module, index),
        key_bytes=library.bpf_table_key_size_id(module, index),
        value_bytes=library.bpf_table_leaf_size_id(module, index),
        key=key,
        value=value,
    )


def _declare(library: ctypes.CDLL) -> None:
    """The module's contents, of which the bindings know only a part (libbcc's bpf_common.h)."""
    module, number = ctypes.c_void_p, ctypes.c_size_t
    for result, names in (
        (ctypes.c_char_p, ("bpf_function_name", "bpf_table_name", "bpf_table_key_desc_id", "bpf_table_leaf_desc_id")),
        (ctypes.c_int, ("bpf_table_fd_id", "bpf_table_type_id", "bpf_table_flags_id")),
        (ctypes.c_size_t, ("bpf_table_max_entries_id", "bpf_table_key_size_id", "bpf_table_leaf_size_id")),
    ):
        for name in names:
            getattr(library, name).restype = result
            getattr(library, name).argtypes = [module, number]
    library.bpf_function_start.restype = ctypes.c_void_p
    library.bpf_function_size.restype = ctypes.c_size_t
    library.bpf_function_start.argtypes = library.bpf_function_size.argtypes = [module, ctypes.c_char_p]
    library.bpf_num_tables.restype = library.bpf_num_functions.restype = ctypes.c_size_t
    library.bpf_num_tables.argtypes = library.bpf_num_functions.argtypes = [module]


def main() -> None:
    """Imports bcc while the job is still being written, then does it."""
    try:
        import bcc  # noqa: F401
    except ImportError as error:
        sys.exit(f"error: bcc cannot be imported: {error}")
    job = json.load(sys.stdin)
    try:
        compiled = compile_text(job["text"], job["flags"], job["tree"])
    except Exception as error:  # noqa: BLE001  bcc raises plain Exception
        sys.exit(f"error: {error}")
    sys.stdout.buffer.write(compiled.to_json())
    sys.stdout.buffer.flush()
    # What bcc would give back one by one, the kernel takes at once.
    os._exit(0)


if __name__ == "__main__":
    main()
