// The bytes of the arrays that kernels are given: each array of a dispatch once, as much of it as is bound, read, written or both as
// the kernel's SPIR-V says. It is what a kernel moves that reads its inputs once and writes all of its outputs. Totals are kept in
// the file that NULL_GPU_BYTES names, two numbers of 64 bits: read, written. Nothing is counted without it.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vulkan/vulkan.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace bytes {

struct Use {
    bool reads = false, writes = false;
};
using Binding = std::pair<uint32_t, uint32_t>;  // set, number
struct Commands {
    VkPipeline pipeline;
    std::map<uint32_t, VkDescriptorSet> sets;
};

static std::mutex lock;
static std::unordered_map<VkBuffer, VkDeviceSize> buffers;
static std::unordered_map<VkShaderModule, std::map<Binding, Use>> modules;
static std::unordered_map<VkPipeline, std::map<Binding, Use>> pipelines;
static std::unordered_map<VkDescriptorSet, std::map<uint32_t, VkDeviceSize>> sets;
static std::unordered_map<VkCommandBuffer, Commands> recorded;

static uint64_t *totals() {
    static uint64_t *at = [] {
        const char *path = std::getenv("NULL_GPU_BYTES");
        int file = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;
        if (file < 0 || ftruncate(file, 16)) return (uint64_t *)nullptr;
        void *mapped = mmap(nullptr, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        return mapped == MAP_FAILED ? nullptr : (uint64_t *)mapped;
    }();
    return at;
}

static void dispatched(VkCommandBuffer commands) {
    if (!totals()) return;
    std::lock_guard<std::mutex> held(lock);
    Commands &bound = recorded[commands];
    for (auto &[binding, use] : pipelines[bound.pipeline]) {
        VkDeviceSize size = sets[bound.sets[binding.first]][binding.second];
        if (use.reads) totals()[0] += size;
        if (use.writes) totals()[1] += size;
    }
}

// What a module does with the arrays it binds (SPIR-V specification, 3.49): loads and stores through chains of their variables.
static std::map<Binding, Use> uses(const uint32_t *words, size_t count) {
    enum { Header = 5, Load = 61, Store = 62, AccessChain = 65, InBoundsAccessChain = 66, Decorate = 71 };
    enum { AtomicLoad = 227, AtomicStore = 228, AtomicXor = 242, BindingIs = 33, SetIs = 34 };
    std::unordered_map<uint32_t, Binding> bound;
    std::unordered_map<uint32_t, uint32_t> parent;
    std::unordered_map<uint32_t, Use> used;
    auto variable = [&](uint32_t pointer) -> Use & {
        for (auto up = parent.find(pointer); up != parent.end(); up = parent.find(pointer)) pointer = up->second;
        return used[pointer];
    };
    for (size_t at = Header; at < count && words[at] >> 16; at += words[at] >> 16) {
        const uint32_t *of = words + at, code = *of & 0xffff;
        if (code == Decorate && of[2] == BindingIs) bound[of[1]].second = of[3];
        if (code == Decorate && of[2] == SetIs) bound[of[1]].first = of[3];
        if (code == AccessChain || code == InBoundsAccessChain) parent[of[2]] = of[3];
        if (code == Load) variable(of[3]).reads = true;
        if (code == Store) variable(of[1]).writes = true;
        if (code >= AtomicLoad && code <= AtomicXor) variable(of[code == AtomicStore ? 1 : 3]) = {true, true};
    }
    std::map<Binding, Use> found;
    for (auto &[id, binding] : bound) found[binding] = used[id];
    return found;
}

// A function of the driver, and what is kept of its calls.
#define WATCH(result, name, ...)             \
    static PFN_##name next_##name = nullptr; \
    static VKAPI_ATTR result VKAPI_CALL name(__VA_ARGS__)

WATCH(VkResult, vkCreateBuffer, VkDevice device, const VkBufferCreateInfo *info, const VkAllocationCallbacks *a, VkBuffer *made) {
    VkResult result = next_vkCreateBuffer(device, info, a, made);
    std::lock_guard<std::mutex> held(lock);
    if (result == VK_SUCCESS) buffers[*made] = info->size;
    return result;
}

WATCH(VkResult, vkCreateShaderModule, VkDevice device, const VkShaderModuleCreateInfo *info, const VkAllocationCallbacks *a,
      VkShaderModule *made) {
    VkResult result = next_vkCreateShaderModule(device, info, a, made);
    std::lock_guard<std::mutex> held(lock);
    if (result == VK_SUCCESS) modules[*made] = uses(info->pCode, info->codeSize / 4);
    return result;
}

WATCH(VkResult, vkCreateComputePipelines, VkDevice device, VkPipelineCache cache, uint32_t count, const VkComputePipelineCreateInfo *infos,
      const VkAllocationCallbacks *a, VkPipeline *made) {
    VkResult result = next_vkCreateComputePipelines(device, cache, count, infos, a, made);
    std::lock_guard<std::mutex> held(lock);
    for (uint32_t i = 0; result == VK_SUCCESS && i < count; i++) pipelines[made[i]] = modules[infos[i].stage.module];
    return result;
}

WATCH(void, vkUpdateDescriptorSets, VkDevice device, uint32_t count, const VkWriteDescriptorSet *writes, uint32_t copies,
      const VkCopyDescriptorSet *copied) {
    next_vkUpdateDescriptorSets(device, count, writes, copies, copied);
    std::lock_guard<std::mutex> held(lock);
    for (const VkWriteDescriptorSet *write = writes; write < writes + count; write++)
        for (uint32_t i = 0; write->pBufferInfo && i < write->descriptorCount; i++) {
            const VkDescriptorBufferInfo &info = write->pBufferInfo[i];
            VkDeviceSize rest = buffers[info.buffer] - info.offset;
            sets[write->dstSet][write->dstBinding + i] = info.range == VK_WHOLE_SIZE ? rest : info.range;
        }
}

WATCH(void, vkCmdBindPipeline, VkCommandBuffer commands, VkPipelineBindPoint point, VkPipeline pipeline) {
    next_vkCmdBindPipeline(commands, point, pipeline);
    std::lock_guard<std::mutex> held(lock);
    recorded[commands].pipeline = pipeline;
}

WATCH(void, vkCmdBindDescriptorSets, VkCommandBuffer commands, VkPipelineBindPoint point, VkPipelineLayout layout, uint32_t first,
      uint32_t count, const VkDescriptorSet *given, uint32_t offsets, const uint32_t *offset) {
    next_vkCmdBindDescriptorSets(commands, point, layout, first, count, given, offsets, offset);
    std::lock_guard<std::mutex> held(lock);
    for (uint32_t i = 0; i < count; i++) recorded[commands].sets[first + i] = given[i];
}

// The driver's function, or the one here that keeps what it is given.
static PFN_vkVoidFunction watched(const char *name, PFN_vkVoidFunction found) {
#define OWN(function)                                        \
    if (!std::strcmp(name, #function)) {                     \
        next_##function = (PFN_##function)found;             \
        return (PFN_vkVoidFunction)(PFN_##function)function; \
    }
    if (!totals()) return found;
    OWN(vkCreateBuffer)
    OWN(vkCreateShaderModule)
    OWN(vkCreateComputePipelines)
    OWN(vkUpdateDescriptorSets)
    OWN(vkCmdBindPipeline)
    OWN(vkCmdBindDescriptorSets)
    return found;
}

}  // namespace bytes
