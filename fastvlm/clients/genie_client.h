// The text of a program that asks Genie through its folder, as a client of it would. Lies in the folder as client.cc.
#pragma once

namespace fastvlm::clients {

extern const char* const kGenieClient;

}  // namespace fastvlm::clients
