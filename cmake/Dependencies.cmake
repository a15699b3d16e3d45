# Every library from outside, wrapped in a target of ours where the distributions disagree about its name.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)

# ONNX messages, checker and shape inference. Its exported target names protobuf, so protobuf must be found first.
find_package(Protobuf REQUIRED)
find_package(ONNX CONFIG REQUIRED)
add_library(dependency_onnx INTERFACE)
if(TARGET ONNX::onnx)
  target_link_libraries(dependency_onnx INTERFACE ONNX::onnx)
else()
  target_link_libraries(dependency_onnx INTERFACE onnx onnx_proto protobuf::libprotobuf)
endif()
target_compile_definitions(dependency_onnx INTERFACE ONNX_ML=1 ONNX_NAMESPACE=onnx)

find_path(UTF8PROC_INCLUDE_DIR utf8proc.h REQUIRED)
find_library(UTF8PROC_LIBRARY utf8proc REQUIRED)
add_library(dependency_utf8proc INTERFACE)
target_include_directories(dependency_utf8proc SYSTEM INTERFACE ${UTF8PROC_INCLUDE_DIR})
target_link_libraries(dependency_utf8proc INTERFACE ${UTF8PROC_LIBRARY})

if(FASTVLM_PROGRAM)
  find_package(CLI11 REQUIRED)
  add_library(dependency_cli11 INTERFACE)
  target_link_libraries(dependency_cli11 INTERFACE CLI11::CLI11)
endif()

# ONNX Runtime is loaded at run time; only its headers are needed here (API 22 or newer, older than the library is fine).
# scripts/setup.sh puts them under build/deps/onnxruntime; a release archive of ONNX Runtime serves as well.
find_path(ONNXRUNTIME_INCLUDE_DIR onnxruntime_cxx_api.h
  HINTS ${ONNXRUNTIME_ROOT} ${CMAKE_CURRENT_SOURCE_DIR}/build/deps/onnxruntime
  PATH_SUFFIXES include include/onnxruntime include/onnxruntime/core/session
  DOC "Folder of onnxruntime_cxx_api.h; set ONNXRUNTIME_ROOT or run scripts/setup.sh")
if(NOT ONNXRUNTIME_INCLUDE_DIR)
  message(FATAL_ERROR "The ONNX Runtime headers are missing. Run scripts/setup.sh, or set ONNXRUNTIME_ROOT to a release of ONNX Runtime.")
endif()
add_library(dependency_onnxruntime_headers INTERFACE)
target_include_directories(dependency_onnxruntime_headers SYSTEM INTERFACE ${ONNXRUNTIME_INCLUDE_DIR})
target_compile_definitions(dependency_onnxruntime_headers INTERFACE ORT_API_MANUAL_INIT)

if(FASTVLM_TESTS)
  find_package(GTest REQUIRED)
  enable_testing()
endif()
if(FASTVLM_BENCHMARKS)
  find_package(benchmark REQUIRED)
  add_library(dependency_benchmark INTERFACE)
  target_link_libraries(dependency_benchmark INTERFACE benchmark::benchmark_main)
endif()
