# Untested: Windows on arm64 with llvm-mingw, whose programs must be on the PATH. The libraries of docs/arm64.md must be built
# for it first; FASTVLM_PREFIX is where they were installed.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR ARM64)
set(CMAKE_C_COMPILER aarch64-w64-mingw32-clang)
set(CMAKE_CXX_COMPILER aarch64-w64-mingw32-clang++)
set(CMAKE_RC_COMPILER aarch64-w64-mingw32-windres)
set(FASTVLM_PREFIX "" CACHE PATH "Where the libraries for Windows are installed")
set(CMAKE_FIND_ROOT_PATH ${FASTVLM_PREFIX})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
