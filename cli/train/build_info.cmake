# Writes build_info.cpp; run at every build, so that the commit is that of the build and not of the configuration.
execute_process(COMMAND git -C ${SOURCE_DIR} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE BITSTRATA_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
if(failed)
  set(BITSTRATA_COMMIT "unknown")
else()
  execute_process(COMMAND git -C ${SOURCE_DIR} diff --quiet HEAD RESULT_VARIABLE changed ERROR_QUIET)
  if(changed)
    string(APPEND BITSTRATA_COMMIT "+")
  endif()
endif()
# What computes: everything that is compiled or built in, and what with.
file(GLOB_RECURSE sources LIST_DIRECTORIES false ${SOURCE_DIR}/CMakeLists.txt ${SOURCE_DIR}/cli/* ${SOURCE_DIR}/model/*
  ${SOURCE_DIR}/quant/* ${SOURCE_DIR}/rtl/* ${SOURCE_DIR}/sim/*)
list(FILTER sources EXCLUDE REGEX "\\.md$")
list(SORT sources)
set(computes "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} ${BUILD_FLAGS}")
foreach(source IN LISTS sources)
  file(SHA1 ${source} hash)
  file(RELATIVE_PATH name ${SOURCE_DIR} ${source})
  string(APPEND computes "\n${name} ${hash}")
endforeach()
string(SHA1 BITSTRATA_CODE "${computes}")
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
