// Which program serves as our child: foreign code (the ONNX library, vendor libraries) runs there and not here.
#pragma once

#include "fastvlm/base/files.h"

namespace fastvlm {

// fastvlm-npu: what was set, else the file of that name beside the running program, else the bare name, which is looked up on the
// PATH.
Path worker_program();

// For main(): the program itself, whatever it is called.
void set_worker_program(Path program);

}  // namespace fastvlm
