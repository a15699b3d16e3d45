#include "fastvlm/image/optional_library.h"

#include <dlfcn.h>

namespace fastvlm {

OptionalLibrary::OptionalLibrary(const char* soname) : handle_(dlopen(soname, RTLD_NOW | RTLD_LOCAL)) {}

void* OptionalLibrary::address(const char* symbol) {
  void* found = handle_ == nullptr ? nullptr : dlsym(handle_, symbol);
  if (found == nullptr) complete_ = false;
  return found;
}

Error missing_library(std::string_view what, std::string_view format, std::string_view library, std::string_view package) {
  return bad_environment(
      "{}: a {} picture needs {}, which is not installed; install it (Debian: apt-get install {}) or convert the picture "
      "to JPEG or PNG",
      what, format, library, package);
}

}  // namespace fastvlm
