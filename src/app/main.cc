#include <cstdio>
#include <exception>
#include <iostream>

#include "app/commands.h"

int main(int argc, char** argv) {
  try {
    return app::RunCommandLine(argc, argv, {.in = &std::cin, .out = &std::cout, .err = &std::cerr});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "posthorn: stopped by an unexpected error: %s\n", error.what());
    return app::kExitFailed;
  }
}
