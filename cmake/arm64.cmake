# Linux on arm64, cross-built with Debian's compiler against the libraries that "scripts/setup.sh --arm64" unpacks.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(FASTVLM_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build/deps/arm64 CACHE PATH "Root with the libraries of arm64")
if(NOT EXISTS ${FASTVLM_SYSROOT}/packages)
  message(FATAL_ERROR "${FASTVLM_SYSROOT} has no libraries of arm64; run scripts/setup.sh --arm64")
endif()
set(CMAKE_SYSROOT ${FASTVLM_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# The headers of ONNX Runtime are the same for every processor and lie outside the sysroot.
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
# The emulator's processor has every extension ("max"), so what only new processors do is tried as well.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static;-cpu;max;-L;${FASTVLM_SYSROOT})
