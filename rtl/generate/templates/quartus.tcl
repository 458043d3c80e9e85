# SPDX-License-Identifier: Apache-2.0
# Intel Quartus Prime, batch mode; all ports are virtual pins, since they are meant for an interconnect inside the chip:
#   quartus_sh -t synth/quartus.tcl [DEVICE]
package require ::quartus::project
package require ::quartus::flow
set root [file normalize [file join [file dirname [info script]] ..]]
set device [expr {[llength $quartus(args)] > 0 ? [lindex $quartus(args) 0] : "5CSEMA5F31C6"}]
set build [file join $root synth build quartus]
file mkdir $build
cd $build

project_new bitstrata_top -overwrite
set_global_assignment -name DEVICE $device
set_global_assignment -name TOP_LEVEL_ENTITY bitstrata_top
set_global_assignment -name SEARCH_PATH [file join $root rtl]
set sources {@RTL_NAMES@}
foreach source $sources {
  set_global_assignment -name SYSTEMVERILOG_FILE [file join $root rtl $source]
}
set_instance_assignment -name VIRTUAL_PIN ON -to *
set_instance_assignment -name VIRTUAL_PIN OFF -to clk_i
set constraints [open bitstrata_top.sdc w]
puts $constraints {create_clock -name clk -period @CLOCK_NS@ [get_ports clk_i]}
puts $constraints {derive_clock_uncertainty}
close $constraints
set_global_assignment -name SDC_FILE bitstrata_top.sdc
execute_flow -compile
project_close
