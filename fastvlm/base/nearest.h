// "Did you mean …?"
#pragma once

#include <span>
#include <string_view>

namespace fastvlm {

// Letters to add, drop or change until one text is the other. Takes a.size() * b.size() steps.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The known word with the smallest distance to the first 64 bytes of `wanted`, the first among equals. `known` is not empty.
std::string_view nearest_of(std::string_view wanted, std::span<const std::string_view> known);

}  // namespace fastvlm
