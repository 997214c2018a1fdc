# libmffs: MFFS as a library for other programs (docs/libmffs.md). One archive of what base, async and mffs compile, the
# headers that mffs/mffs.h needs, and a CMake package: `cmake --install BUILD --component mffs --prefix PREFIX`, then
# find_package(mffs) and mffs::mffs. The headers lie in a folder of their own, since `base` and `async` are common names.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(mffs STATIC
  $<TARGET_OBJECTS:posthorn_base> $<TARGET_OBJECTS:posthorn_async> $<TARGET_OBJECTS:posthorn_mffs>)
set_target_properties(mffs PROPERTIES LINKER_LANGUAGE CXX)
target_compile_features(mffs INTERFACE cxx_std_23)
target_compile_definitions(mffs INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_include_directories(mffs INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/libmffs>)
target_link_libraries(mffs INTERFACE Boost::boost fmt::fmt $<LINK_ONLY:spdlog::spdlog> Threads::Threads PkgConfig::URING)

foreach(header
    async/asio.h async/run_to_end.h async/shard.h async/worker_pool.h
    base/bytes.h base/check.h base/clock.h base/id.h base/random.h base/result.h
    mffs/block_device.h mffs/device_file.h mffs/finding.h mffs/device_request.h mffs/linked_write.h mffs/mffs.h mffs/open_device.h mffs/preallocate.h
    mffs/scrub.h mffs/sim_cut.h mffs/sim_device.h mffs/sim_image.h mffs/space_watch.h mffs/thread_pool_device.h mffs/types.h mffs/uring_device.h mffs/volume.h)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES src/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/libmffs/${folder} COMPONENT mffs)
endforeach()
install(TARGETS mffs EXPORT mffs ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT mffs)
install(EXPORT mffs NAMESPACE mffs:: FILE mffs-targets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mffs COMPONENT mffs)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/mffs-config-version.cmake COMPATIBILITY ExactVersion)
install(FILES cmake/mffs-config.cmake ${CMAKE_BINARY_DIR}/mffs-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mffs COMPONENT mffs)
