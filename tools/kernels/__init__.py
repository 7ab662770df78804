"""``make kernels``: the sensor on kernels that this machine does not run, booted in qemu."""
