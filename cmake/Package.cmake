# cpack in the build folder: a .deb and a tarball of the program with what it prints about itself. The library and its headers
# are installed by "cmake --install" only.
set(CPACK_PACKAGE_NAME fastvlm-npu)
set(CPACK_PACKAGE_VENDOR "fastvlm-npu")
set(CPACK_PACKAGE_CONTACT "the authors of fastvlm-npu <fastvlm-npu@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_COMPONENTS_ALL program)
set(CPACK_STRIP_FILES ON)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(architecture arm64)
else()
  set(architecture amd64)
endif()

set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_ARCHIVE_PROGRAM_FILE_NAME fastvlm-npu-${PROJECT_VERSION}-linux-${architecture})

# Of Debian 12, for both architectures: dpkg-shlibdeps would look a foreign library up among the packages of this machine.
# scripts/check_packages.sh starts the program with these and nothing else.
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME fastvlm-npu)
set(CPACK_DEBIAN_PROGRAM_FILE_NAME fastvlm-npu_${PROJECT_VERSION}_${architecture}.deb)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${architecture})
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS
    "libc6 (>= 2.36), libstdc++6 (>= 12), libgcc-s1 (>= 12), libfmt9, libjpeg62-turbo, libonnx1, libpng16-16, libprotobuf32, libssl3, libutf8proc2, zlib1g")
# Opened at run time where they are there: pictures in further formats. pip: "doctor --fetch".
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "libheif1, libtiff6, libwebp7, python3-pip")
include(CPack)
