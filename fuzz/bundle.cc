// Any bytes as bundle.json and as selftest.json: an error, or a thing that is written and read again as the same.
#include "fastvlm/base/assert.h"
#include "fastvlm/device/bundle_manifest.h"
#include "fastvlm/device/selftest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bundle = device::parse_bundle(text, "fuzz"); bundle.ok()) {
    const auto again = device::parse_bundle(device::bundle_text(*bundle), "written");
    FASTVLM_ASSERT(again.ok() && *again == *bundle, "it stays the same");
  }
  if (const auto test = device::parse_selftest(text, "fuzz"); test.ok()) {
    const auto again = device::parse_selftest(device::selftest_text(*test), "written");
    FASTVLM_ASSERT(again.ok() && *again == *test, "it stays the same");
  }
  return 0;
}
