#include "fastvlm/base/machine_memory.h"

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

class MachineMemory : public testing::Test {
 protected:
  std::uint64_t available() const {
    return available_memory({.meminfo = folder_ / "meminfo", .groups = folder_ / "groups", .group_root = folder_ / "root"});
  }
  FolderForTests folder_;
};

TEST_F(MachineMemory, IsWhatTheKernelCallsAvailable) {
  folder_.write("meminfo", "MemTotal:       24000000 kB\nMemFree:  1 kB\nMemAvailable:    8000000 kB\n");
  EXPECT_EQ(available(), 8000000ull * 1024);
  folder_.write("groups", "0::/\n");
  EXPECT_EQ(available(), 8000000ull * 1024);
}

TEST_F(MachineMemory, AGroupOfEitherVersionMayAllowLess) {
  folder_.write("meminfo", "MemAvailable:    8000000 kB\n");
  folder_.write("groups", "0::/box/inner\n");
  folder_.write("root/box/memory.max", "3000000\n");
  folder_.write("root/box/memory.current", "1200000\n");
  folder_.write("root/box/memory.stat", "anon 5\ninactive_file 200000\n");
  folder_.write("root/box/inner/memory.max", "max\n");
  EXPECT_EQ(available(), 2000000u) << "the group around it counts, the page cache does not";
  folder_.write("groups", "4:cpu,memory:/job\n0::/\n");
  folder_.write("root/memory/job/memory.limit_in_bytes", "1000000\n");
  folder_.write("root/memory/job/memory.usage_in_bytes", "1500000\n");
  EXPECT_EQ(available(), 0u);
}

TEST_F(MachineMemory, NothingToldIsNoLimit) {
  EXPECT_EQ(available(), UINT64_MAX);
  folder_.write("meminfo", "damaged");
  folder_.write("groups", "::::\nno colon\n");
  EXPECT_EQ(available(), UINT64_MAX);
}

TEST_F(MachineMemory, OfThisMachineIsSomething) { EXPECT_GT(available_memory(), std::uint64_t{1} << 20); }

}  // namespace
}  // namespace fastvlm
