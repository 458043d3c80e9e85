# SPDX-License-Identifier: Apache-2.0
# AMD Vivado, batch mode, out of context (the AXI ports are meant for an interconnect inside the chip, not for pins):
#   vivado -mode batch -source synth/vivado.tcl [-tclargs PART]
set root [file normalize [file join [file dirname [info script]] ..]]
set part [expr {[llength $argv] > 0 ? [lindex $argv 0] : "xc7z020clg400-1"}]
set build [file join $root synth build vivado]
file mkdir $build

set sources {@RTL_NAMES@}
foreach source $sources { read_verilog -sv [file join $root rtl $source] }
synth_design -top bitstrata_top -part $part -mode out_of_context -include_dirs [file join $root rtl]
create_clock -name clk -period @CLOCK_NS@ [get_ports clk_i]
report_utilization -file [file join $build utilization_synth.rpt]
opt_design
place_design
route_design
report_utilization -file [file join $build utilization.rpt]
report_timing_summary -file [file join $build timing.rpt]
report_power -file [file join $build power.rpt]
write_checkpoint -force [file join $build bitstrata_top.dcp]
