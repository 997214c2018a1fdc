# What libmffs is linked with; installed beside mffs-targets.cmake by cmake/libmffs.cmake.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Boost 1.81)
find_dependency(fmt)
find_dependency(spdlog)
find_dependency(PkgConfig)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing)
include(${CMAKE_CURRENT_LIST_DIR}/mffs-targets.cmake)
