// Decoders that are loaded only if they are installed. Their functions are declared by us, so building needs none of them.
#pragma once

#include <string>
#include <string_view>

#include "fastvlm/base/result.h"

namespace fastvlm {

class OptionalLibrary {
 public:
  // Opens `soname`. It stays open until the program ends.
  explicit OptionalLibrary(const char* soname);
  // Fills a pointer to a function; one that is missing makes the library count as missing.
  template <class Function>
  void find(const char* symbol, Function*& function) {
    function = reinterpret_cast<Function*>(address(symbol));
  }
  bool complete() const { return handle_ != nullptr && complete_; }

 private:
  void* address(const char* symbol);
  void* handle_ = nullptr;
  bool complete_ = true;
};

// "cat.webp: a WebP picture needs libwebp.so.7, …": which package to install.
Error missing_library(std::string_view what, std::string_view format, std::string_view library, std::string_view package);

}  // namespace fastvlm
