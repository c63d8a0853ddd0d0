# xray_embed_web(TARGET): gives TARGET the page as `xray::web_files()` (cmake/Embed.cmake),
# built by Vite whenever its sources changed; an empty list with XRAY_WEB off.
include(Embed)

function(xray_embed_web target)
  set(dist ${CMAKE_CURRENT_BINARY_DIR}/web)
  if(NOT XRAY_WEB)
    xray_embed(${target} web_files ROOT ${dist})
    return()
  endif()

  set(web ${CMAKE_SOURCE_DIR}/web)
  set(npm ${CMAKE_COMMAND} -E env "PATH=${XRAY_DEPS}/node/bin:$ENV{PATH}" npm)
  # Beside what it tells of, so that all build trees share one installation.
  set(installed ${web}/node_modules/.installed)
  add_custom_command(
    OUTPUT ${installed}
    COMMAND ${npm} ci --no-audit --no-fund --loglevel=error
    COMMAND ${CMAKE_COMMAND} -E touch ${installed}
    DEPENDS ${web}/package.json ${web}/package-lock.json
    WORKING_DIRECTORY ${web} COMMENT "Installing what builds the page" VERBATIM)

  file(GLOB_RECURSE inputs CONFIGURE_DEPENDS ${web}/src/* ${web}/public/*)
  set(stamp ${CMAKE_CURRENT_BINARY_DIR}/web.stamp)
  add_custom_command(
    OUTPUT ${stamp}
    COMMAND ${npm} run --silent build -- --logLevel warn --emptyOutDir --outDir ${dist}
    COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
    DEPENDS ${installed} ${inputs} ${web}/index.html ${web}/tsconfig.json ${web}/vite.config.ts
    WORKING_DIRECTORY ${web} COMMENT "Building the page" VERBATIM)
  xray_embed(${target} web_files ROOT ${dist} STAMP ${stamp})
endfunction()
