# g++ 12 destroys braced temporaries twice in a statement with co_await (docs/decisions/0001-compiler.md).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines; configure with -DCMAKE_CXX_COMPILER=clang++-19.")
endif()
