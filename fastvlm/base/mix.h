// Well mixed bits from names and counters, the same on every machine. Not for secrets.
#pragma once

#include <cstdint>
#include <string_view>

namespace fastvlm {

// The finalizer and the step of SplitMix64 (Steele, Lea and Flood, 2014): a counter in, 64 well mixed bits out.
inline constexpr std::uint64_t kSplitMixStep = 0x9e3779b97f4a7c15;
constexpr std::uint64_t split_mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// FNV-1a.
constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace fastvlm
