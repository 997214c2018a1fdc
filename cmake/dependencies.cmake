# Debian 12 packages only; scripts/install-dependencies.sh installs them. A dependency stands here when the first code needs it.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(GTest REQUIRED)
find_package(OpenSSL REQUIRED)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(ROCKSDB REQUIRED IMPORTED_TARGET rocksdb)
pkg_check_modules(GMIME REQUIRED IMPORTED_TARGET gmime-3.0)
pkg_check_modules(CRYPT REQUIRED IMPORTED_TARGET libcrypt)
pkg_check_modules(ICU REQUIRED IMPORTED_TARGET icu-uc)
pkg_check_modules(IDN2 REQUIRED IMPORTED_TARGET libidn2)
# Not by pkg-config: its file asks for the development packages of what only a static libunbound is linked with.
find_path(UNBOUND_INCLUDE_DIR unbound.h REQUIRED)
find_library(UNBOUND_LIBRARY unbound REQUIRED)
add_library(unbound::unbound UNKNOWN IMPORTED)
set_target_properties(unbound::unbound PROPERTIES
  IMPORTED_LOCATION ${UNBOUND_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${UNBOUND_INCLUDE_DIR})
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)

# Asio's sources are compiled once, in src/async/asio_sources.cc.
add_library(posthorn_asio INTERFACE)
target_compile_definitions(posthorn_asio INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(posthorn_asio INTERFACE Boost::boost Threads::Threads)
