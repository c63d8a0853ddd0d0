# What a server needs, relocatable: bin/xray finds its libraries and its model
# relative to itself, wherever the tree is put.
include(GNUInstallDirs)

set(openvino_libraries_dir "${OpenVINO_DIR}/../libs")
set(runtime_dir ${CMAKE_INSTALL_LIBDIR}/xray)
set_target_properties(xray PROPERTIES INSTALL_RPATH "$ORIGIN/../${runtime_dir}")
install(TARGETS xray RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Of OpenVINO only what reads networks of the kinds that are imported and runs them on a CPU.
file(GLOB openvino_runtime
  ${openvino_libraries_dir}/libopenvino.so.*
  ${openvino_libraries_dir}/libopenvino_onnx_frontend.so.*
  ${openvino_libraries_dir}/libopenvino_ir_frontend.so.*
  ${openvino_libraries_dir}/libopenvino_tensorflow_frontend.so.*
  ${openvino_libraries_dir}/libopenvino_tensorflow_lite_frontend.so.*
  ${openvino_libraries_dir}/libopenvino_intel_cpu_plugin.so
  ${openvino_libraries_dir}/libtbb.so.*
  ${openvino_libraries_dir}/libtbbmalloc.so.*)
install(FILES ${openvino_runtime} DESTINATION ${runtime_dir})

install(DIRECTORY ${CMAKE_SOURCE_DIR}/models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/xray/models)
install(FILES ${CMAKE_SOURCE_DIR}/src/serve/grpc/open_inference.proto DESTINATION ${CMAKE_INSTALL_DATADIR}/xray)
# A service for systemd, which nothing starts by itself; deploy/debian/postinst puts its settings in place.
install(FILES ${CMAKE_SOURCE_DIR}/deploy/systemd/xray.service DESTINATION lib/systemd/system)
install(FILES ${CMAKE_SOURCE_DIR}/deploy/systemd/xray.default DESTINATION ${CMAKE_INSTALL_DATADIR}/xray)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_PACKAGE_NAME xray-chest)
set(CPACK_PACKAGE_VENDOR "xray developers")
set(CPACK_PACKAGE_CONTACT "xray developers <developers@xray.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_DESCRIPTION
  "Command line and web page that tell normal chest radiographs of children from
 those with pneumonia, with percentages and a heat map. Not a medical device.")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${openvino_libraries_dir})
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_SOURCE_DIR}/deploy/debian/postinst ${CMAKE_SOURCE_DIR}/deploy/debian/prerm ${CMAKE_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
