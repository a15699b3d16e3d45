# fastvlm_folder(name USES lower folders… TESTS folders that only its tests use… LINK outside targets…): one library per folder of fastvlm/, and one test program
# from its *_test.cc files.
set(FASTVLM_WARNINGS -Wall -Wextra -Wno-missing-field-initializers)
if(FASTVLM_WERROR)
  list(APPEND FASTVLM_WARNINGS -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 sees through fmt, std::string and std::optional wrongly when it optimises.
    list(APPEND FASTVLM_WARNINGS -Wno-error=stringop-overflow -Wno-error=restrict -Wno-error=maybe-uninitialized)
  else()
    # std::stable_sort of GCC 12's library calls what the same library has deprecated.
    list(APPEND FASTVLM_WARNINGS -Wno-error=deprecated-declarations)
  endif()
endif()
# The same bytes on every machine: no product may be joined with a sum, which rounds once less where the machine can.
set(FASTVLM_ARITHMETIC -ffp-contract=off)

function(fastvlm_folder name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;TESTS;LINK")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fastvlm/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(TRANSFORM arg_USES PREPEND fastvlm_)
  list(TRANSFORM arg_TESTS PREPEND fastvlm_)

  # Loops over all weights and pixels: here the vectoriser pays.
  list(APPEND hot fastvlm/tensor/block_kernels.cc fastvlm/tensor/block_kernels_avx2.cc fastvlm/tensor/convert.cc fastvlm/tensor/weight.cc fastvlm/image/resize_kernels.cc fastvlm/export/embedding_int8.cc)
  foreach(file ${hot})
    if(CMAKE_BUILD_TYPE STREQUAL "Release")
      set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/${file} PROPERTIES COMPILE_OPTIONS "-O3" SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()

  # Compiled once; the folder's own archive and the library that is installed are made from the same objects.
  add_library(fastvlm_${name}_objects OBJECT ${sources})
  add_library(fastvlm_${name} STATIC $<TARGET_OBJECTS:fastvlm_${name}_objects>)
  foreach(library fastvlm_${name}_objects fastvlm_${name})
    target_include_directories(${library} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${library} PUBLIC ${arg_USES} ${arg_LINK})
  endforeach()
  target_compile_options(fastvlm_${name}_objects PRIVATE ${FASTVLM_WARNINGS} ${FASTVLM_ARITHMETIC})
  if(FASTVLM_PRECOMPILED AND name STREQUAL "base")
    target_precompile_headers(fastvlm_base_objects PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/cmake/precompiled.h)
  elseif(FASTVLM_PRECOMPILED)
    target_precompile_headers(fastvlm_${name}_objects REUSE_FROM fastvlm_base_objects)
  endif()
  set_property(GLOBAL APPEND PROPERTY FASTVLM_OBJECTS $<TARGET_OBJECTS:fastvlm_${name}_objects>)
  set_property(GLOBAL APPEND PROPERTY FASTVLM_LINKS ${arg_LINK})

  if(tests AND FASTVLM_TESTS)
    add_executable(${name}_test ${tests})
    target_compile_options(${name}_test PRIVATE ${FASTVLM_WARNINGS})
    target_compile_definitions(${name}_test PRIVATE
      FASTVLM_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/tests/data"
      FASTVLM_PROGRAM="$<TARGET_FILE_DIR:${name}_test>/fastvlm-npu")
    target_link_libraries(${name}_test PRIVATE fastvlm_${name} ${arg_TESTS} GTest::gtest GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${name}_test)
  endif()
endfunction()

# One program for each .cc file of a folder beside fastvlm/: benchmarks and fuzz targets.
function(fastvlm_programs folder link)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cc)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${folder}_${name} ${source})
    target_compile_definitions(${folder}_${name} PRIVATE FASTVLM_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/tests/data")
    target_link_libraries(${folder}_${name} PRIVATE fastvlm_all ${link})
    if(folder STREQUAL "fuzz")
      target_link_options(${folder}_${name} PRIVATE -fsanitize=fuzzer)
    endif()
  endforeach()
endfunction()
