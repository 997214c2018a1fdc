#include "mffs/block_device_contract.h"

#include "mffs/open_device.h"
#include "mffs/sim_device.h"

namespace mffs {
namespace {

std::unique_ptr<BlockDevice> MakeSim(async::Executor executor, const std::string&) {
  return std::make_unique<SimDevice>(executor, 1024 * kSectorBytes);
}

std::unique_ptr<BlockDevice> MakeSimReordering(async::Executor executor, const std::string&) {
  return std::make_unique<SimDevice>(executor, SimImage(1024 * kSectorBytes), SimDevice::Options{.reorder_seed = 7});
}

std::unique_ptr<BlockDevice> MakeUring(async::Executor executor, const std::string& path, UringDevice::DurableBy by) {
  auto device = OpenDevice(executor, path, {.choice = DeviceChoice::kUring, .uring = {.durable_by = by}});
  return device ? *std::move(device) : nullptr;
}

std::unique_ptr<BlockDevice> MakeUringDsync(async::Executor executor, const std::string& path) {
  return MakeUring(executor, path, UringDevice::DurableBy::kDsync);
}

std::unique_ptr<BlockDevice> MakeUringFlush(async::Executor executor, const std::string& path) {
  return MakeUring(executor, path, UringDevice::DurableBy::kFlush);
}

std::unique_ptr<BlockDevice> MakeThreadPool(async::Executor executor, const std::string& path) {
  auto device = OpenDevice(executor, path, {.choice = DeviceChoice::kThreadPool});
  CHECK(device.has_value());
  return *std::move(device);
}

std::string Label(const testing::TestParamInfo<DeviceUnderTest>& param) {
  return param.param.label;
}

const DeviceUnderTest kDevices[] = {{"Sim", MakeSim},
                                    {"SimReordering", MakeSimReordering},
                                    {"UringDsync", MakeUringDsync},
                                    {"UringFlush", MakeUringFlush},
                                    {"ThreadPool", MakeThreadPool}};

INSTANTIATE_TEST_SUITE_P(Devices, BlockDeviceContract, testing::ValuesIn(kDevices), Label);
INSTANTIATE_TEST_SUITE_P(Devices, BlockDeviceContractDeathTest, testing::ValuesIn(kDevices), Label);

}  // namespace
}  // namespace mffs
