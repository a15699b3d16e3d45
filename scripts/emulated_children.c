// Preloaded by scripts/check_arm64.sh while an emulator runs programs of arm64. The machine below cannot start such a program
// by itself, and fastvlm-npu starts itself again as a worker; so the emulator is put in front of every program of arm64.
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_arm64(const char* path) {
  Elf64_Ehdr header = {0};
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t got = read(file, &header, sizeof header);
  close(file);
  return got == sizeof header && header.e_ident[0] == ELFMAG0 && header.e_ident[1] == ELFMAG1 && header.e_machine == EM_AARCH64;
}

// Called between fork and exec, so nothing is allocated.
int execve(const char* path, char* const arguments[], char* const environment[]) {
  enum { kMost = 512 };
  const char* emulator = getenv("ARM64_EMULATOR");
  const char* all[kMost + 3] = {emulator, path};
  int count = 0;
  while (arguments[count] != NULL) ++count;
  if (emulator == NULL || count == 0 || !is_arm64(path)) return (int)syscall(SYS_execve, path, arguments, environment);
  if (count > kMost) {
    errno = E2BIG;
    return -1;
  }
  for (int i = 1; i < count; ++i) all[i + 1] = arguments[i];
  return (int)syscall(SYS_execve, emulator, all, environment);
}
