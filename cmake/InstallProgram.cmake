# Installs the program with what it prints about itself: completion of shells and the manual page.
include(GNUInstallDirs)
install(TARGETS fastvlm-npu COMPONENT program)
if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
  set(about ${CMAKE_CURRENT_BINARY_DIR}/about)
  add_custom_command(
    OUTPUT ${about}/fastvlm-npu.bash ${about}/_fastvlm-npu ${about}/fastvlm-npu.fish ${about}/fastvlm-npu.1
    COMMAND ${CMAKE_COMMAND} -E make_directory ${about}
    COMMAND fastvlm-npu completion bash > ${about}/fastvlm-npu.bash
    COMMAND fastvlm-npu completion zsh > ${about}/_fastvlm-npu
    COMMAND fastvlm-npu completion fish > ${about}/fastvlm-npu.fish
    COMMAND fastvlm-npu man > ${about}/fastvlm-npu.1
    DEPENDS fastvlm-npu VERBATIM)
  add_custom_target(fastvlm_about ALL DEPENDS ${about}/fastvlm-npu.1)
  install(FILES ${about}/fastvlm-npu.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME fastvlm-npu COMPONENT program)
  install(FILES ${about}/_fastvlm-npu DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT program)
  install(FILES ${about}/fastvlm-npu.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT program)
  install(FILES ${about}/fastvlm-npu.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
endif()
