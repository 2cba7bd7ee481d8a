"""Only the native parts, and links that an archive may have lost; everything else stands in pyproject.toml."""

import os
import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext

for name in ("core", "plugins", "miner", "fingerprint", "platforms"):
    link = Path("src", "metanode", name)
    if not link.is_dir():  # some archives drop links, some checkouts make text files of them
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        try:
            link.symlink_to(Path("..", "..", name))
        except OSError:
            shutil.copytree(name, link)

modules, commands = [], {}
if os.environ.get("METANODE_PURE") != "1":
    sys.path.insert(0, str(Path("src").resolve()))
    from metanode.platforms.shims import native_build

    class BuildNative(build_ext):
        """Compiles each C file with its own flags, as far as the compiler takes them."""

        def build_extensions(self):
            flags = native_build.Flags(self.compiler.compiler_so)
            compile_one = self.compiler._compile

            def compile_with_own_flags(obj, src, ext, cc_args, extra_postargs, pp_opts):
                compile_one(obj, src, ext, cc_args, [*extra_postargs, *flags.of(src)], pp_opts)

            self.compiler._compile = compile_with_own_flags
            for ext in self.extensions:
                ext.optional = ext.optional and not native_build.strict()
            super().build_extensions()

    modules = [f"{path}:ffi" for native in native_build.natives() for path in native.paths("build_native.py")]
    commands = {"build_ext": BuildNative}
setup(cffi_modules=modules, cmdclass=commands)
