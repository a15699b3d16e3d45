// A picture to ask about where the user brings none.
#pragma once

#include "fastvlm/image/image.h"

namespace fastvlm {

// A disc and a square on a ramp, with colours that depend on `number`: the same bytes on every machine.
Image made_up_picture(int side, int number);

}  // namespace fastvlm
