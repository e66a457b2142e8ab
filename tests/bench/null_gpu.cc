// A Vulkan driver that computes nothing: Mesa's software driver with empty dispatches, so that what is left of a step is the host's
// work, and launches are counted in seconds. Built and named to the loader by null_gpu.sh.
#include <dlfcn.h>

#include <cstdio>
#include <cstring>

#include "null_gpu_bytes.h"

static void *symbol(const char *name) {
    static void *driver = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL);
    if (!driver) std::fprintf(stderr, "null_gpu: no %s\n", DRIVER);
    return driver ? dlsym(driver, name) : nullptr;
}

static void dispatch(VkCommandBuffer commands, uint32_t, uint32_t, uint32_t) { bytes::dispatched(commands); }

static void dispatch_indirect(VkCommandBuffer commands, VkBuffer, VkDeviceSize) { bytes::dispatched(commands); }

// What stands in place of one that computes.
static PFN_vkVoidFunction empty(const char *name) {
    if (!std::strcmp(name, "vkCmdDispatch")) return (PFN_vkVoidFunction)dispatch;
    return std::strcmp(name, "vkCmdDispatchIndirect") ? nullptr : (PFN_vkVoidFunction)dispatch_indirect;
}

static PFN_vkGetDeviceProcAddr of_device;

static PFN_vkVoidFunction device_function(VkDevice device, const char *name) {
    PFN_vkVoidFunction own = empty(name), found = own ? own : of_device(device, name);
    return found ? bytes::watched(name, found) : nullptr;
}

extern "C" {

PFN_vkVoidFunction vk_icdGetInstanceProcAddr(VkInstance instance, const char *name) {
    auto next = (PFN_vkGetInstanceProcAddr)symbol("vk_icdGetInstanceProcAddr");
    PFN_vkVoidFunction found = next ? next(instance, name) : nullptr;
    if (found && !std::strcmp(name, "vkGetDeviceProcAddr")) {
        of_device = (PFN_vkGetDeviceProcAddr)found;
        return (PFN_vkVoidFunction)device_function;
    }
    return found && empty(name) ? empty(name) : found;
}

PFN_vkVoidFunction vk_icdGetPhysicalDeviceProcAddr(VkInstance instance, const char *name) {
    auto next = (PFN_vkGetInstanceProcAddr)symbol("vk_icdGetPhysicalDeviceProcAddr");
    return next ? next(instance, name) : nullptr;
}

VkResult vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    auto next = (VkResult(*)(uint32_t *))symbol("vk_icdNegotiateLoaderICDInterfaceVersion");
    return next ? next(version) : VK_ERROR_INITIALIZATION_FAILED;
}
}
