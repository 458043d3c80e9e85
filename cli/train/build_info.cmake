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
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
