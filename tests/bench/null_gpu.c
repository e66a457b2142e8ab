/* A Vulkan driver that computes nothing: Mesa's software driver with empty dispatches, so that what is left of a step is the host's
 * work, and launches are counted in seconds. Built and named to the loader by null_gpu.sh. */
#include <dlfcn.h>
#include <string.h>

typedef void (*function)(void);
typedef function (*lookup)(void *, const char *);

static void *driver;
static lookup of_device;

static void *symbol(const char *name) {
    if (!driver) driver = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL);
    return driver ? dlsym(driver, name) : 0;
}

/* In place of vkCmdDispatch and vkCmdDispatchIndirect. */
static void nothing(void) {}

static int empty(const char *name) { return !strcmp(name, "vkCmdDispatch") || !strcmp(name, "vkCmdDispatchIndirect"); }

static function device_function(void *device, const char *name) { return empty(name) ? nothing : of_device(device, name); }

function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    lookup next = (lookup)symbol("vk_icdGetInstanceProcAddr");
    function found = next ? next(instance, name) : 0;
    if (found && !strcmp(name, "vkGetDeviceProcAddr")) {
        of_device = (lookup)found;
        return (function)device_function;
    }
    return found && empty(name) ? nothing : found;
}

function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
    lookup next = (lookup)symbol("vk_icdGetPhysicalDeviceProcAddr");
    return next ? next(instance, name) : 0;
}

int vk_icdNegotiateLoaderICDInterfaceVersion(unsigned *version) {
    int (*next)(unsigned *) = (int (*)(unsigned *))symbol("vk_icdNegotiateLoaderICDInterfaceVersion");
    return next ? next(version) : -3; /* VK_ERROR_INITIALIZATION_FAILED */
}
