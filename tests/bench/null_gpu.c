/* A Vulkan driver that computes nothing: Mesa's software driver with empty dispatches, so that what is left of a step is the host's
 * work, and launches are counted in seconds. Built and named to the loader by null_gpu.sh. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void (*function)(void);
typedef function (*lookup)(void *, const char *);

static void *driver;
static lookup of_device;

static void *symbol(const char *name) {
    if (!driver && !(driver = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL))) fprintf(stderr, "null_gpu: %s\n", dlerror());
    return driver ? dlsym(driver, name) : 0;
}

static void dispatch(void *commands, uint32_t x, uint32_t y, uint32_t z) { (void)commands, (void)x, (void)y, (void)z; }

static void dispatch_indirect(void *commands, uint64_t buffer, uint64_t offset) { (void)commands, (void)buffer, (void)offset; }

/* What stands in place of one that computes, else 0. */
static function empty(const char *name) {
    if (!strcmp(name, "vkCmdDispatch")) return (function)dispatch;
    return strcmp(name, "vkCmdDispatchIndirect") ? 0 : (function)dispatch_indirect;
}

static function device_function(void *device, const char *name) {
    function own = empty(name);
    return own ? own : of_device(device, name);
}

function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    lookup next = (lookup)symbol("vk_icdGetInstanceProcAddr");
    function found = next ? next(instance, name) : 0;
    if (found && !strcmp(name, "vkGetDeviceProcAddr")) {
        of_device = (lookup)found;
        return (function)device_function;
    }
    return found && empty(name) ? empty(name) : found;
}

function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
    lookup next = (lookup)symbol("vk_icdGetPhysicalDeviceProcAddr");
    return next ? next(instance, name) : 0;
}

int vk_icdNegotiateLoaderICDInterfaceVersion(unsigned *version) {
    int (*next)(unsigned *) = (int (*)(unsigned *))symbol("vk_icdNegotiateLoaderICDInterfaceVersion");
    return next ? next(version) : -3; /* VK_ERROR_INITIALIZATION_FAILED */
}
