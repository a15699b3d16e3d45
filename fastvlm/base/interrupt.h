// Ctrl-C: a flag that long work looks at between two pieces.
#pragma once

#include <stop_token>

#include "fastvlm/base/result.h"

namespace fastvlm {

// Called from a signal handler or by a host program that wants running work to stop.
void request_interrupt() noexcept;
void clear_interrupt() noexcept;
bool interrupted() noexcept;

// An Error of kind kInterrupted once an interrupt was requested, or once `stop` was.
Status check_interrupt();
Status check_interrupt(const std::stop_token& stop);

}  // namespace fastvlm
