// A datasheet as a page for people: one file that needs nothing from outside.
#pragma once

#include <string>

#include "fastvlm/datasheet/datasheet.h"

namespace fastvlm {

// The same sheet gives the same bytes. It names no path but those within the output folder and the names of the pictures.
std::string datasheet_page(const Datasheet& sheet);

}  // namespace fastvlm
