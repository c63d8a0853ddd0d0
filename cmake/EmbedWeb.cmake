# xray_embed_web(TARGET): gives TARGET the page as `xray::web_files()`;
# xray_embed_report(TARGET): gives TARGET the template of reports as `xray::report_files()`
# (cmake/Embed.cmake). Both are built by Vite whenever their sources changed; with
# XRAY_WEB off they are empty lists.
include(Embed)

set(XRAY_WEB_ROOT ${CMAKE_SOURCE_DIR}/web)
set(XRAY_NPM ${CMAKE_COMMAND} -E env "PATH=${XRAY_DEPS}/node/bin:$ENV{PATH}" npm)
# Beside what it tells of, so that all build trees share one installation.
set(XRAY_WEB_MODULES ${XRAY_WEB_ROOT}/node_modules/.installed)

# xray_embed_vite(TARGET SYMBOL SCRIPT SOURCE...): what `npm run SCRIPT` makes of the sources.
function(xray_embed_vite target symbol script)
  set(dist ${CMAKE_CURRENT_BINARY_DIR}/web)
  if(NOT XRAY_WEB)
    xray_embed(${target} ${symbol} ROOT ${dist})
    return()
  endif()

  if(NOT TARGET xray_web_modules)
    add_custom_command(
      OUTPUT ${XRAY_WEB_MODULES}
      COMMAND ${XRAY_NPM} ci --no-audit --no-fund --loglevel=error
      COMMAND ${CMAKE_COMMAND} -E touch ${XRAY_WEB_MODULES}
      DEPENDS ${XRAY_WEB_ROOT}/package.json ${XRAY_WEB_ROOT}/package-lock.json
      WORKING_DIRECTORY ${XRAY_WEB_ROOT} COMMENT "Installing what builds the page" VERBATIM)
    add_custom_target(xray_web_modules DEPENDS ${XRAY_WEB_MODULES})
  endif()

  set(stamp ${CMAKE_CURRENT_BINARY_DIR}/web.stamp)
  add_custom_command(
    OUTPUT ${stamp}
    COMMAND ${XRAY_NPM} run --silent ${script} -- --logLevel warn --emptyOutDir --outDir ${dist}
    COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
    DEPENDS xray_web_modules ${XRAY_WEB_MODULES} ${ARGN}
    WORKING_DIRECTORY ${XRAY_WEB_ROOT} COMMENT "Building ${symbol}" VERBATIM)
  xray_embed(${target} ${symbol} ROOT ${dist} STAMP ${stamp})
endfunction()

function(xray_embed_web target)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${XRAY_WEB_ROOT}/src/* ${XRAY_WEB_ROOT}/public/*)
  xray_embed_vite(${target} web_files build ${sources}
    ${XRAY_WEB_ROOT}/index.html ${XRAY_WEB_ROOT}/tsconfig.json ${XRAY_WEB_ROOT}/vite.config.ts)
endfunction()

function(xray_embed_report target)
  # Some of the page's modules serve the reports, too.
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${XRAY_WEB_ROOT}/report/* ${XRAY_WEB_ROOT}/src/*.ts)
  xray_embed_vite(${target} report_files build:report ${sources} ${XRAY_WEB_ROOT}/tsconfig.json)
endfunction()
