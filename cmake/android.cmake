# Untested: Android on arm64 with Google's NDK (r26 or newer). The libraries of docs/arm64.md must be built for Android first;
# FASTVLM_PREFIX is where they were installed.
if(NOT DEFINED ENV{ANDROID_NDK_HOME})
  message(FATAL_ERROR "ANDROID_NDK_HOME must name an unpacked Android NDK")
endif()
set(ANDROID_ABI arm64-v8a)
set(ANDROID_PLATFORM android-31)
set(ANDROID_STL c++_shared)
set(FASTVLM_PREFIX "" CACHE PATH "Where the libraries for Android are installed")
list(APPEND CMAKE_FIND_ROOT_PATH ${FASTVLM_PREFIX})
include($ENV{ANDROID_NDK_HOME}/build/cmake/android.toolchain.cmake)
