#include "fastvlm/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace fastvlm {

void assertion_failed(const char* condition, const char* what, const char* file, int line) {
  std::fprintf(stderr, "fastvlm-npu: internal error at %s:%d: %s (%s). Please report it.\n", file, line, what, condition);
  std::abort();
}

}  // namespace fastvlm
