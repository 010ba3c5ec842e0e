# For arm64, by Debian's cross compiler: `cmake --preset arm64`. The libraries are Debian 12's for arm64, in a folder of their own that
# `make arm64` fills: beside those of this machine they would be in each other's way. ctest runs what is built under QEMU's user emulation.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++-12) # the release that builds everything else
set(CMAKE_SYSROOT $ENV{HOME}/.cache/twinspan/arm64/sysroot)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER) # Python generates code on this machine
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY) # or a library of this machine would be found, which can't be linked
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static;-L;${CMAKE_SYSROOT})
