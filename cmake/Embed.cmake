# Files inside the program. As a module it offers
#
#   xray_embed(TARGET SYMBOL ROOT DIR (FILES file... | STAMP file))
#
# which gives TARGET the function `std::span<const xray::EmbeddedFile> xray::SYMBOL()`
# over the FILES, paths relative to DIR; or over all that lies below DIR whenever
# STAMP changes, for files that the build itself makes. Sorted by path.
#
# As a script (cmake -P) it writes that function's source.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(XRAY_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
  function(xray_embed target symbol)
    cmake_parse_arguments(ARG "" "ROOT;STAMP" "FILES" ${ARGN})
    set(source ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cpp)
    add_custom_command(
      OUTPUT ${source}
      COMMAND ${CMAKE_COMMAND} -DROOT=${ARG_ROOT} "-DFILES=${ARG_FILES}" -DSYMBOL=${symbol} -DOUTPUT=${source}
              -P ${XRAY_EMBED_SCRIPT}
      DEPENDS ${ARG_FILES} ${ARG_STAMP} ${XRAY_EMBED_SCRIPT}
      COMMENT "Embedding ${symbol}" VERBATIM)
    target_sources(${target} PRIVATE ${source})
  endfunction()
  return()
endif()

if(NOT FILES)
  file(GLOB_RECURSE FILES ${ROOT}/*)
endif()
list(SORT FILES)

set(arrays "")
set(table "")
set(index 0)
foreach(file IN LISTS FILES)
  file(RELATIVE_PATH path ${ROOT} ${file})
  file(SHA256 ${file} sha256)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  # An array may not be empty: one byte more, which the span leaves out.
  string(APPEND arrays "constexpr unsigned char kFile${index}[] = {${bytes}0};\n")
  string(APPEND table "      {\"${path}\", \"${sha256}\",\n"
    "       std::as_bytes(std::span(kFile${index})).first(sizeof(kFile${index}) - 1)},\n")
  math(EXPR index "${index} + 1")
endforeach()

set(source "#include \"common/embedded.h\"

#include <vector>

namespace xray {
namespace {
${arrays}}  // namespace

std::span<const EmbeddedFile> ${SYMBOL}();

std::span<const EmbeddedFile> ${SYMBOL}() {
  static const std::vector<EmbeddedFile> files = {
${table}  };
  return files;
}

}  // namespace xray
")
# Always written: the build tool compares times, and the compiler cache the content.
file(WRITE ${OUTPUT} "${source}")
