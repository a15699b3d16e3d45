# The library fastvlm::fastvlm: one archive or, with BUILD_SHARED_LIBS, one shared library of all folders. Its headers are
# those of fastvlm/api and the two of fastvlm/base that they include.
get_property(objects GLOBAL PROPERTY FASTVLM_OBJECTS)
get_property(links GLOBAL PROPERTY FASTVLM_LINKS)
list(REMOVE_DUPLICATES links)

add_library(fastvlm ${objects})
add_library(fastvlm::fastvlm ALIAS fastvlm)
target_compile_features(fastvlm INTERFACE cxx_std_20)
target_include_directories(fastvlm INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}> $<INSTALL_INTERFACE:include>)
target_link_libraries(fastvlm PRIVATE "$<BUILD_INTERFACE:${links}>")
set_target_properties(fastvlm PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} LINKER_LANGUAGE CXX)
get_target_property(kind fastvlm TYPE)
if(kind STREQUAL "SHARED_LIBRARY")
  # What is not of the public headers stays inside, so that it may change between versions.
  target_link_options(fastvlm PRIVATE -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cmake/exports.map)
  set_target_properties(fastvlm PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cmake/exports.map)
else()
  # An archive leaves these to whoever links it; fastvlmConfig.cmake finds them.
  target_link_libraries(fastvlm PRIVATE
    "$<INSTALL_INTERFACE:fmt::fmt;OpenSSL::Crypto;Threads::Threads;JPEG::JPEG;PNG::PNG;onnx;onnx_proto;protobuf::libprotobuf;fastvlm::utf8proc;dl>")
endif()

if(FASTVLM_INSTALL)
  include(GNUInstallDirs)
  include(CMakePackageConfigHelpers)
  string(COMPARE EQUAL "${kind}" "STATIC_LIBRARY" FASTVLM_IS_ARCHIVE)
  set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/fastvlm)
  install(TARGETS fastvlm EXPORT fastvlmTargets COMPONENT development)
  file(GLOB api_headers CONFIGURE_DEPENDS fastvlm/api/*.h)
  list(FILTER api_headers EXCLUDE REGEX "bridge.h")
  install(FILES ${api_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fastvlm/api COMPONENT development)
  install(FILES fastvlm/base/error.h fastvlm/base/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fastvlm/base COMPONENT development)
  install(EXPORT fastvlmTargets NAMESPACE fastvlm:: DESTINATION ${package_folder} COMPONENT development)
  configure_package_config_file(cmake/fastvlmConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/fastvlmConfig.cmake INSTALL_DESTINATION ${package_folder})
  write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/fastvlmConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/fastvlmConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/fastvlmConfigVersion.cmake DESTINATION ${package_folder} COMPONENT development)
endif()
